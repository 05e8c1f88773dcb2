"""Service packages: load them, find the one for a submission, map with it.

A package is a folder of YAML; this module is the way in for everything else in the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from gateway.case import case_schema, complete
from gateway.errors import NotFound
from gateway.intake.refusals import refused
from gateway.mapping.nodes import JsonNode
from gateway.mapping.run import MappingOutcome, TraceLine, holds, run, run_on_case
from gateway.packages.loader import Written, load, nowhere
from gateway.packages.model import (
    Accepts,
    Client,
    Keep,
    Law,
    Requires,
    RetryPolicy,
    Service,
    Stage,
    Statutory,
    Target,
)
from gateway.packages.regions import covers
from xoev_schemas.findings import Finding, Text

if TYPE_CHECKING:
    from gateway.mapping.yaml_nodes import Members
    from xoev_schemas.documents import Document
    from xoev_schemas.registry import Registry, SchemaRef

__all__ = [
    "Accepts",
    "Client",
    "Keep",
    "Law",
    "MappingOutcome",
    "Packages",
    "Requires",
    "RetryPolicy",
    "Service",
    "Stage",
    "Statutory",
    "Target",
    "TraceLine",
    "accepting",
    "applies",
    "identifiers_of",
    "map_case",
    "map_request",
    "open_to",
    "shipped_folder",
]


SCHEMA_POINTER = "/contentStructure/data/submissionSchema/schemaUri"
"""Where the metadata name the schema (JSON pointer)."""
_LISTED = 40


@dataclass(frozen=True, slots=True)
class Packages:
    """Everything that is configured, by name. Services whose schema is not installed are here, with `inactive` set.

    stage: of the installation; decides what services do with test messages where they do not say it themselves.
    """

    services: Mapping[str, Service]
    targets: Mapping[str, Target]
    clients: Mapping[str, Client]
    registry: Registry | None = field(default=None, repr=False, compare=False)
    stage: Stage = "test"

    @classmethod
    def load(
        cls,
        folders: Sequence[Path],
        registry: Registry,
        only: Sequence[str] = (),
        changes: Members | None = None,
        stage: Stage = "test",
        written: Written = nowhere,
    ) -> Packages:
        """folders: each holds `services/`, `targets/`, `clients/`. only: services in use; empty = all. changes: the
        installation's settings for targets, as `gateway.packages.overlays.overlay` makes them. written: where the
        settings say `folders` and `only`.

        Raises ConfigurationError that lists everything wrong at once.
        """
        return cls(*load([Path(folder) for folder in folders], registry, only, changes, written), registry, stage)

    def find_service(
        self,
        *,
        schema_uri: str,
        identifier: str | None,
        addressee: str | None = None,
        channel: str = "rest",
        region: str | None = None,
        client: Client | None = None,
        today: date,
    ) -> tuple[Service, Accepts]:
        """The one service for what a sender named.

        identifier, addressee: alternatives; where both lead somewhere, both must agree. region: normalised key.
        client: who asks; a refusal lists what is possible, of this client's own services only.
        Raises Refused (422): `service_unknown`, `schema_not_accepted`, `service_ambiguous`.
        """
        active = [service for service in self.services.values() if service.inactive is None]
        addressed = _addressed(active, identifier, addressee, channel)
        if region is not None:
            addressed = [s for s in addressed if not s.regions or any(covers(own, region) for own in s.regions)]
        if not addressed:
            raise refused("service_unknown", path="service", allowed=identifiers_of(open_to(client, active)))
        ref = self.registry.find(schema_uri) if self.registry else None
        found = [(service, accepts) for service in addressed for accepts in accepting(service, schema_uri, ref, today)]
        if not found:
            schemas = [accepts.schema for service in open_to(client, addressed) for accepts in service.accepts]
            raise refused("schema_not_accepted", path=SCHEMA_POINTER, allowed=_listed(schemas))
        if len(found) > 1:
            services = [service for service, _ in found]
            raise refused("service_ambiguous", path="service", allowed=identifiers_of(open_to(client, services)))
        return found[0]

    def client_by_token(self, issuer: str, client_id: str) -> Client | None:
        return next((c for c in self.clients.values() if (c.issuer, c.client_id) == (issuer, client_id)), None)

    def client_by_certificate(self, sha256: str) -> Client | None:
        """sha256: of the certificate's DER form, hex."""
        return next((c for c in self.clients.values() if c.certificate_sha256 == sha256.lower()), None)


def open_to(client: Client | None, services: Iterable[Service]) -> list[Service]:
    """The active ones for which a client may hand something in; without a client all active ones."""
    allowed = client.services if client is not None else None
    return [s for s in services if s.inactive is None and (allowed is None or s.name in allowed)]


def identifiers_of(services: Iterable[Service]) -> str | None:
    """For `allowed`: what a sender may write in the parameter `service`."""
    return _listed(identifier for service in services for identifier in service.identifiers)


def _listed(names: Iterable[str]) -> str | None:
    """For `allowed`: a city has hundreds of services, an answer shows some."""
    known = list(dict.fromkeys(names))
    return ", ".join(known[:_LISTED]) + (" …" if len(known) > _LISTED else "") or None


def shipped_folder() -> Path:
    """Where the packages shipped with the gateway lie: beside it in a source tree, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    return package.parent if (package.parent / "services").is_dir() else package / "shipped"


def map_case(service: Service, accepts: Accepts, document: Document, envelope: Mapping[str, Any]) -> MappingOutcome:
    """submission → case, held against the published schema. envelope: the gateway's own part."""
    made = run(accepts.compiled, document)
    if made.value is None:
        return made
    case = complete(made.value, envelope)
    source = f"{service.folder.name}/{accepts.mapping}"
    faults = [_case_fault(error, "", source) for error in _case_validator().iter_errors(case)]
    if service.data_validator is not None:
        data_faults = service.data_validator.iter_errors(case.get("data", {}))
        faults += [_case_fault(error, "/data", source) for error in data_faults]
    return replace(made, value=None if faults else case, findings=[*made.findings, *faults])


def map_request(target: Target, service_name: str, case: Mapping[str, Any]) -> MappingOutcome:
    """case → request, with the service's own request mapping if the target has one. There, the target's own references
    of the matter stand in `references` beside those of the others, which stand under their names.

    Raises NotFound if the target has no request mapping for this service (loading refuses such packages).
    """
    mapping = target.request_for(service_name)
    if mapping is None:
        raise NotFound(f"target {target.name} has no request mapping for the service {service_name}")
    references = case.get("references", {})
    own = references.get(target.name)
    return run_on_case(mapping, {**case, "references": {**references, **own}} if own else case)


def applies(target: Target, case: Mapping[str, Any]) -> bool:
    """Does the target want this case at all (`when:` in `target.yaml`)?"""
    return holds(target.when, JsonNode(case))


def _addressed(
    services: Sequence[Service], identifier: str | None, addressee: str | None, channel: str
) -> list[Service]:
    """A service without identifiers is found by its schema, whatever the sender calls it, unless one is named so."""
    named = [service for service in services if identifier is not None and identifier in service.identifiers]
    reached = [s for s in services if addressee is not None and addressee in s.addressees.get(channel, ())]
    if named and reached:
        return [service for service in named if service in reached]
    if named or reached:
        return named or reached
    return [service for service in services if identifier is None or not service.identifiers]


def accepting(service: Service, schema_uri: str, ref: SchemaRef | None, today: date) -> Sequence[Accepts]:
    """What fits the schema today: of one schema only the entry with the latest date that has come."""
    current: dict[str, Accepts] = {}
    for accepts in service.accepts:
        if not _same_schema(accepts, schema_uri, ref) or (accepts.from_date and accepts.from_date > today):
            continue
        earlier = current.get(accepts.schema)
        if earlier is None or (accepts.from_date or date.min) >= (earlier.from_date or date.min):
            current[accepts.schema] = accepts
    return list(current.values())


def _same_schema(accepts: Accepts, schema_uri: str, ref: SchemaRef | None) -> bool:
    """A sender may name the standard without the message (a namespace): then the message is judged by its root."""
    if ref is None or accepts.ref is None:
        return accepts.schema == schema_uri
    same_message = ref.message == accepts.ref.message or not ref.message or not accepts.ref.message
    return ref.standard == accepts.ref.standard and same_message


@cache
def _case_validator() -> Any:
    return jsonschema_rs.validator_for(dict(case_schema()), validate_formats=True)


def _case_fault(error: Any, prefix: str, source: str) -> Finding:
    """Never with the validator's own words: they repeat the value."""
    place = prefix + "".join(f"/{step}" for step in error.instance_path)
    rule = "/".join(str(step) for step in error.schema_path)
    return Finding(
        "mapping.case_invalid",
        "error",
        "service",
        Text(
            f"Der erzeugte Fall entspricht bei „{place or '/'}“ nicht seinem Schema.",
            f"the case that was made does not fit its schema at '{place or '/'}'.",
        ),
        path=place,
        allowed=rule,
        remedy=Text("Berichtigen Sie die Zuordnung.", "Mend the mapping."),
        source=source,
    )
