"""Where each field of a request comes from: for each service, target and accepted version of a schema.

The tables are data; who shows them decides how (`gateway.commands.tables`, `gateway.commands.tables_page`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from adapters.base import FieldSpec
from adapters.registry import AdapterUnknown
from gateway.mapping.language import CompiledMapping, Object
from gateway.mapping.making import Made, Making, MessageSource, Outcome, best, is_content
from gateway.mapping.wording import condition_text
from gateway.packages.case_source import CaseSource, CaseSpot
from gateway.packages.model import Accepts, Service, Target
from gateway.packages.origins import Origin, Origins
from gateway.packages.proving import AdapterLoader
from gateway.packages.source_names import SourceNames
from gateway.services import Packages
from xoev_schemas.findings import Text
from xoev_schemas.model import SchemaModel
from xoev_schemas.registry import Registry

_ADAPTER: Mapping[str, Text] = {
    "key": Text("Schlüssel der Zustellung", "key of the delivery"),
    "repeat_mark": Text("ob es eine Wiederholung sein kann", "whether it may be a repeat"),
}
"""What adapters put in, by the setting that says where."""


@dataclass(frozen=True, slots=True)
class RequestField:
    """path: dotted, as the adapter lists it. required: it has to be there wherever `within` is.

    within: the innermost group around it that need not be there; empty = the request itself. repeated: it may be there
    several times. described: the target's description has it. group: it has members, none of which is required.
    origins: none = not filled. outcome: `sure`, `stops` (without a value there is a finding instead of a request), or
    `maybe`: it can be absent.
    """

    path: str
    required: bool
    within: str
    type: str
    repeated: bool
    described: bool
    group: bool
    origins: tuple[Origin, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RequestTable:
    """kinds: of submissions that the request is for. when: the target wants only cases of which this holds.

    described: the target has a description that says what it requires; without one no field counts as required.
    """

    service: str
    target: str
    kinds: tuple[str, ...]
    schema: str
    when: Text | None
    described: bool
    fields: tuple[RequestField, ...]


def request_tables(
    packages: Packages,
    registry: Registry,
    load_adapter: AdapterLoader,
    services: Collection[str] = (),
    *,
    everything: bool = False,
) -> list[RequestTable]:
    """services: names; empty = all that are active. everything: the fields that are not required, too."""
    tables = []
    for service in chosen(packages, services):
        for name in service.targets:
            for target, kinds in requests_of(packages.targets[name], service.name):
                fields = _fields_of(target, load_adapter)
                for accepts in service.accepts:
                    if accepts.ref is not None and (accepts.kind is None or accepts.kind in kinds):
                        own = kinds if accepts.kind is None else (accepts.kind,)
                        tables.append(_table(service, accepts, target, own, fields, registry, everything=everything))
    return tables


def chosen(packages: Packages, names: Collection[str]) -> list[Service]:
    """Those that take something at present, in the order of their names."""
    active = [service for service in packages.services.values() if service.inactive is None]
    return sorted((s for s in active if not names or s.name in names), key=lambda service: service.name)


def requests_of(target: Target, service: str) -> list[tuple[Target, tuple[str, ...]]]:
    """The target as it is for each different request, with the kinds of submissions that it is for."""
    found: list[tuple[Target, tuple[str, ...]]] = []
    for variant in target.variants():
        mapping = variant.request_for(service)
        for number, (other, kinds) in enumerate(found):
            if other.request_for(service) is mapping and other.config == variant.config:
                found[number] = (other, (*kinds, variant.kind))
                break
        else:
            found += [] if mapping is None else [(variant, (variant.kind,))]
    return found


def case_of(service: Service, accepts: Accepts, registry: Registry) -> tuple[CaseSource, SourceNames]:
    """The case that a message of an installed schema makes, and what the fields of the message are called."""
    model = model_of(accepts, registry)
    fim = registry.fim(accepts.ref.standard) if accepts.ref is not None else None
    case = CaseSource(Making(accepts.compiled.root, MessageSource(model)), gives_region=len(service.regions) == 1)
    return case, SourceNames(model, fim)


def model_of(accepts: Accepts, registry: Registry) -> SchemaModel | None:
    """None where the schema is not installed, or names no single message."""
    try:
        return registry.model(accepts.ref) if accepts.ref is not None else None
    except (KeyError, ValueError):
        return None


def _fields_of(target: Target, load_adapter: AdapterLoader) -> list[FieldSpec] | None:
    try:
        with closing(load_adapter(target.adapter)(target.config)) as adapter:
            return adapter.required_fields()
    except AdapterUnknown:
        return None


def _table(
    service: Service,
    accepts: Accepts,
    target: Target,
    kinds: tuple[str, ...],
    fields: Sequence[FieldSpec] | None,
    registry: Registry,
    *,
    everything: bool,
) -> RequestTable:
    case, names = case_of(service, accepts, registry)
    mapping = target.request_for(service.name)
    assert mapping is not None  # `requests_of` gives no other
    rows = _Rows(mapping, case, names, target.filled_by_adapter)
    found = rows.of(fields or (), everything=everything or fields is None)
    when = condition_text(target.when) if target.when is not None else None
    return RequestTable(service.name, target.label, kinds, accepts.schema, when, fields is not None, tuple(found))


class _Rows:
    def __init__(
        self, mapping: CompiledMapping, case: CaseSource, names: SourceNames, adapter: Mapping[str, str]
    ) -> None:
        self._making: Making[CaseSpot] = Making(mapping.root, case)
        self._origins = Origins(self._making, case, names)
        self._adapter = adapter

    def of(self, specs: Sequence[FieldSpec], *, everything: bool) -> Iterator[RequestField]:
        known = {spec.path: spec for spec in specs}
        for spec in specs:
            within, needed = self._needed(spec, known)
            group = spec.type == "group"
            if group and self._says_more(spec.path, specs):
                continue
            if needed or (everything and not group):
                yield self._row(spec, within, required=needed, described=True)
        if everything:
            for path in self._made_besides(known):
                yield self._row(FieldSpec(path, False, "", repeated=False), "", required=False, described=not specs)

    def _needed(self, spec: FieldSpec, known: Mapping[str, FieldSpec]) -> tuple[str, bool]:
        """The innermost group around it that need not be there, and whether it has to be there with it. A group that
        the request never makes needs nothing.
        """
        above = _above(spec.path)
        optional = next((path for path in above if path in known and not known[path].required), "")
        if not spec.required or (optional and not self._makes(optional)):
            return optional, False
        return optional, True

    def _says_more(self, path: str, specs: Sequence[FieldSpec]) -> bool:
        """Whether members of the group stand for it: one of them is required."""
        return any(other.required and other.path.rpartition(".")[0] == path for other in specs)

    def _makes(self, path: str) -> bool:
        return bool(self._making.at(path.split("."))) or any(own.startswith(f"{path}.") for own in self._adapter)

    def _row(self, spec: FieldSpec, within: str, *, required: bool, described: bool) -> RequestField:
        origins, outcome = self._filled(spec.path)
        return RequestField(
            spec.path, required, within, spec.type, spec.repeated, described, spec.type == "group", origins, outcome
        )

    def _filled(self, path: str) -> tuple[tuple[Origin, ...], Outcome]:
        if path in self._adapter:
            return (Origin("gateway", title=_ADAPTER[self._adapter[path]]),), "sure"
        made = self._making.at(path.split("."))
        origins: list[Origin] = []
        for one in made:
            found = self._origins.of(one)
            origins += [_joining(found[0], one, first=not origins), *found[1:]] if found else []
        return tuple(origins), best(map(self._making.outcome, made))

    def _made_besides(self, known: Mapping[str, FieldSpec]) -> list[str]:
        """Leaves that the mapping makes and no description has."""
        return list(dict.fromkeys(path for path in _leaves(self._making, self._making.root, "") if path not in known))


def _joining(origin: Origin, made: Made[CaseSpot], *, first: bool) -> Origin:
    return origin if first else replace(origin, joins=made.joins or "also")


def _above(path: str) -> list[str]:
    """The groups around a field, the innermost first."""
    names = path.split(".")
    return [".".join(names[:end]) for end in range(len(names) - 1, 0, -1)]


def _leaves(making: Making[CaseSpot], made: Made[CaseSpot], path: str) -> Iterator[str]:
    template = made.template
    if not isinstance(template, Object) or is_content(template):
        yield path
        return
    for name in template.members:
        for member in making.members(made, name):
            yield from _leaves(making, member, f"{path}.{name}" if path else name)
