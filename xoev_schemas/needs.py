"""Which code lists a standard refers to, and whether they are installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xoev_schemas.codelists import needed_lists
from xoev_schemas.fim import Field, trails
from xoev_schemas.registry import Registry


@dataclass(frozen=True, slots=True)
class ListNeed:
    """uri, version: None where the message names them. code_type: of XÖV, 1–4; None for a FIM field.

    state: `in_schema` (its codes stand in the schema), `installed`, `missing`, or `by_message` (only a message tells).
    versions: those installed, where the version is open.
    """

    uri: str | None
    version: str | None
    code_type: int | None
    state: Literal["in_schema", "installed", "missing", "by_message"]
    versions: tuple[str, ...] = ()


def list_needs(registry: Registry, ref: str) -> list[ListNeed]:
    """Sorted by URI. Raises KeyError for a standard that is not installed, RegistryDamaged."""
    lists = registry.code_lists()

    def need(uri: str | None, version: str | None, code_type: int | None) -> ListNeed:
        if uri is None:
            return ListNeed(None, None, code_type, "by_message")
        if code_type == 1:
            return ListNeed(uri, version, 1, "in_schema")
        known = lists.versions(uri)
        there = version in known if version is not None else bool(known)
        return ListNeed(uri, version, code_type, "installed" if there else "missing", () if version else known)

    model = registry.fim(ref)
    if model is not None:
        fields = (trail[-1].element for trail in trails(model))
        references = {f.code_list for f in fields if isinstance(f, Field) and f.code_list is not None}
        return [need(uri, version, None) for uri, version in sorted({(r.uri, r.version or "") for r in references})]
    files = {path: data for path, data in registry.files(ref).items() if path.endswith(".xsd")}
    return [need(one.uri, one.version, one.type) for one in needed_lists(files)]
