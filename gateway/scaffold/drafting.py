"""A service package drafted from a schema and proven: written to a scratch folder, loaded, checked, its samples run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.registry import load_adapter
from gateway.checking import check_packages, sample_envelope
from gateway.scaffold.files import Files, put, relative
from gateway.scaffold.mapping import Draft, draft_mapping
from gateway.scaffold.requests import draft_request
from gateway.scaffold.samples import Sample, as_json, broken_sample, valid_samples
from gateway.scaffold.shapes import Many, Members, Shape, Value, data_schema, mirrored, write
from gateway.scaffold.source import leaves, read_source
from gateway.scaffold.texts import Found, placeholder_target, readme, service_yaml
from gateway.services import Accepts, Packages, Service, Target, map_case
from xoev_schemas.documents import parse
from xoev_schemas.findings import Finding
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry, SchemaRef

VALID, BROKEN = "beispiel-gueltig", "beispiel-ungueltig"


@dataclass(frozen=True, slots=True)
class Drafted:
    """files: of the whole package. findings: what `gateway check` says of it, with paths as in files. fields: how many
    the mapping reads. samples: their names; empty where no message could be made.
    """

    files: Files
    findings: list[Finding]
    schema: str
    fields: int
    parties: int
    samples: tuple[str, ...]


def draft_service(name: str, ref: SchemaRef, checker: Checker, to: str, target: Target | None = None) -> Drafted:
    """to: name of the target. target: the one of this name that is there already, which gets a request of its own for
    this service; None = one is drafted too. Raises GatewayError.
    """
    registry = checker.registry
    source = read_source(registry.model(ref), registry.fim(ref.standard))
    draft, schema = draft_mapping(source), _schema_name(registry, ref)
    title, folder = _title(registry, ref), f"services/{name}"
    files: dict[str, bytes] = {
        f"{folder}/service.yaml": service_yaml(name, title, schema, to).encode(),
        f"{folder}/mapping.yaml": (_HEAD.format(schema=schema) + write("case", draft.case)).encode(),
        f"{folder}/data.schema.json": as_json(data_schema(draft.data, title)),
    }
    there = _files_of(target) if target is not None else {}
    files |= _request(name, target, draft) if target is not None else _placeholder(name, to, draft)
    samples = _samples(name, files | there, checker, ref)
    names = tuple(dict.fromkeys(path.split("/")[3] for path in samples))
    fields = sum(1 for _ in leaves(source))
    found = Found(schema, fields, draft.parties, to, names)
    files |= {f"{folder}/README.md": readme(title, found, registry.fim(ref.standard)).encode()} | samples
    with _loaded(files | there, name, registry) as (packages, scratch):
        findings = [relative(finding, scratch) for finding in check_packages(packages, checker, load_adapter)]
    return Drafted(files, findings, schema, fields, draft.parties, names)


_HEAD = """\
# {schema} → case.
# Drafted: one line per field of the message, with what the standard says of it. What the department does not need,
# leave out; what is named in comments only is not read.
"""


def _schema_name(registry: Registry, ref: SchemaRef) -> str:
    several = len(registry.standard(ref.standard).messages) > 1
    return f"{ref.standard}#{ref.message}" if several else ref.standard


def _title(registry: Registry, ref: SchemaRef) -> str:
    fim = registry.fim(ref.standard)
    if fim is not None:
        return " ".join((fim.label or fim.title).split())
    standard = registry.standard(ref.standard)
    return f"{standard.title} {standard.version}: {ref.message}" if len(standard.messages) > 1 else standard.title


def _placeholder(name: str, to: str, draft: Draft) -> dict[str, bytes]:
    return {
        f"targets/{to}/target.yaml": placeholder_target(name, to).encode(),
        f"targets/{to}/request.yaml": (_WHOLE_CASE + write("request", whole_case(draft.case))).encode(),
    }


_WHOLE_CASE = (
    "# The whole case as it is. A target gets what stands here and nothing else: leave out what it does not need.\n"
)


def whole_case(case: Members) -> Members:
    """The request that hands everything on: the gateway's own members, then those of the case, then the attachments."""
    members: dict[str, Shape] = {
        "submissionId": Value(("submissionId",), required=True),
        "receivedAt": Value(("receivedAt",), "datetime", required=True),
        "kind": Value(("kind",)),
        **{name: mirrored(shape, name) for name, shape in case.members.items()},
    }
    file: dict[str, Shape] = {
        "filename": Value(("filename",)),
        "mediaType": Value(("mediaType",)),
        "purpose": Value(("purpose",)),
        "content": Members({"$attachment": Value(("attachmentId",))}),
    }
    return Members({**members, "documents": Many("attachments", Members(file))})


def _files_of(target: Target) -> dict[str, bytes]:
    """All but its requests for other services, which are not loaded here."""
    files = (file for file in target.folder.rglob("*") if file.is_file() and not file.name.startswith("request-"))
    return {f"targets/{target.name}/{file.relative_to(target.folder)}": file.read_bytes() for file in files}


def _request(name: str, target: Target, draft: Draft) -> dict[str, bytes]:
    adapter = load_adapter(target.adapter)(target.config)
    try:
        fields = adapter.required_fields()
    finally:
        adapter.close()
    shape = whole_case(draft.case) if fields is None else draft_request(fields)[0]
    text = f"# Case of {name} → {target.name}. Fill what is marked REQUIRED.\n" if fields else _WHOLE_CASE
    return {f"targets/{target.name}/request-{name}.yaml": (text + write("request", shape)).encode()}


def _samples(name: str, files: Files, checker: Checker, ref: SchemaRef) -> dict[str, bytes]:
    with _loaded(files, name, checker.registry) as (packages, _):
        service = packages.services[name]
        for sample in valid_samples(checker, ref):
            case = _case(service, service.accepts[0], sample, ref)
            if case is not None:
                return _sample_files(f"services/{name}/samples", sample, case, broken_sample(checker, ref, sample))
    return {}


def _case(service: Service, accepts: Accepts, sample: Sample, ref: SchemaRef) -> dict[str, Any] | None:
    envelope = sample_envelope(service, ref)
    made = map_case(service, accepts, parse(sample.data, sample.media_type), envelope).value
    return {key: value for key, value in made.items() if key not in envelope} if made is not None else None


def _sample_files(folder: str, valid: Sample, case: Mapping[str, Any], broken: Sample | None) -> dict[str, bytes]:
    files = {f"{folder}/{VALID}/{valid.file}": valid.data, f"{folder}/{VALID}/case.json": as_json(case)}
    if broken is not None:
        expect = f"outcome: rejected\ncodes: [{', '.join(broken.codes)}]\n"
        files |= {f"{folder}/{BROKEN}/{broken.file}": broken.data, f"{folder}/{BROKEN}/expect.yaml": expect.encode()}
    return files


@contextmanager
def _loaded(files: Files, name: str, registry: Registry) -> Iterator[tuple[Packages, Path]]:
    """The packages that these files make, for as long as they lie in a scratch folder."""
    with tempfile.TemporaryDirectory(prefix="gateway-new-") as folder:
        put(files, Path(folder))
        yield Packages.load([Path(folder)], registry, only=[name]), Path(folder)
