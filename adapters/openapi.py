"""A target's OpenAPI document (3.0, 3.1), JSON or YAML, from one local file: bodies checked, fields listed.

Documents of real systems are thin: what they do not declare is not checked, what they declare is. A body is checked as
data, before it is written as JSON, XML, form or multipart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NoReturn

import jsonschema_rs
import yaml

from adapters.base import FieldSpec

_DEPTH = 40
"""Levels of a schema that are listed as fields; a recursive schema would have no end."""


Kind = Literal["json", "multipart", "xml", "form"]

KINDS: tuple[Kind, ...] = ("json", "multipart", "xml", "form")
"""Kinds of bodies that can be written; of several that an operation takes, the first in this order."""


Place = tuple[str | int, ...]
"""A place in a document: names of members and indexes from 0, from the root on."""


class OpenApiUnusable(Exception):
    """The document cannot be read, or lacks what was asked for. Names no values.

    asked: what `target.yaml` asks for and the document does not have (`path`, `media_type`, `openapi`); None = the
    document itself is at fault, in this line if known.
    place, reference: where in the document: steps from its root, or what names a `$ref` that cannot be followed;
    `adapters.openapi_lines` makes a line of either.
    """

    def __init__(
        self,
        reason: str,
        *,
        asked: str | None = None,
        line: int | None = None,
        place: Place = (),
        reference: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.asked = asked
        self.line = line
        self.place = place
        self.reference = reference


def kind_of(media_type: str) -> Kind | None:
    """How a body of this media type is written; None: not by us."""
    essence = media_type.partition(";")[0].strip().lower()
    if essence == "application/json" or essence.endswith("+json"):
        return "json"
    if essence in ("application/xml", "text/xml") or essence.endswith("+xml"):
        return "xml"
    return {"multipart/form-data": "multipart", "application/x-www-form-urlencoded": "form"}.get(essence)  # type: ignore[return-value]


_WITHOUT_BODY = ("202", "204")


class OpenApiOperation:
    """One method of one path. Thread-safe: compiled validators keep no state.

    media_type: of the request body, as the document or `target.yaml` chose it of media_types; None where the document
    describes none.
    encoding: what the document says about single parts of a form or multipart body. address: path and query as
    `target.yaml` has them. parameters: of the address, name → schema.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        name: str,
        operation: Mapping[str, Any],
        media_type: str | None = None,
        *,
        address: str = "",
    ) -> None:
        self.name = name
        self._document = document
        self._operation = operation
        contents = (_resolved(document, operation.get("requestBody")) or {}).get("content") or {}
        self.media_types = tuple(contents)
        verb, _, path = name.partition(" ")
        place: Place = ("paths", path, verb.lower())
        self.media_type = _chosen(name, contents, media_type, (*place, "requestBody", "content"))
        content = contents.get(self.media_type) or {} if self.media_type is not None else {}
        self.body_schema: Any = content.get("schema")
        self.encoding: Mapping[str, Any] = content.get("encoding") or {}
        named: dict[str, Any] = {parameter: {} for parameter in re.findall(r"\{([^}]+)\}", name + address)}
        self.parameters: dict[str, Any] = named | dict(_parameters(document, operation, named))
        self._body = self._compiled(
            self.body_schema, (*place, "requestBody", "content", self.media_type or "", "schema")
        )
        self._answers: dict[str, Any] = {}
        self.answer_schemas: dict[str, Any] = {}
        for status, response in (operation.get("responses") or {}).items():
            kind, schema = _json_content(_resolved(document, response))
            self.answer_schemas[str(status).upper()] = schema
            where = (*place, "responses", str(status), "content", kind, "schema")
            self._answers[str(status).upper()] = self._compiled(schema, where)

    def body_errors(self, body: Any) -> list[str]:
        """What the operation's schema says against a request body; may repeat values."""
        return _errors(self._body, body)

    def answer_errors(self, status: int, body: Any) -> list[str]:
        """What the schema of that status (else of its class, else the default) says against an answer; may repeat
        values.
        """
        for name in (str(status), f"{status // 100}XX", "DEFAULT"):
            if name in self._answers:
                return _errors(self._answers[name], body)
        return []

    def has_body(self, status: int) -> bool:
        """Whether an answer of this status is declared with a JSON body. One that is not declared is expected to say
        what every declared one does; 202 and 204 may have nothing to say.
        """
        for name in (str(status), f"{status // 100}XX"):
            if name in self.answer_schemas:
                return self.answer_schemas[name] is not None
        others = [s for name, s in self.answer_schemas.items() if name[0] == "2" and name not in _WITHOUT_BODY]
        return str(status) not in _WITHOUT_BODY and bool(others) and None not in others

    def fields(self) -> list[FieldSpec] | None:
        """Leaves and groups of the request body, and the parameters of the address, which a request names beside them;
        None when the document describes neither.
        """
        if self.body_schema is None and not self.parameters:
            return None
        found = list(_fields(self._document, self.body_schema, "", _DEPTH))
        known = {field.path for field in found}
        own = (item for item in self.parameters.items() if item[0] not in known)
        return found + [_spec(name, True, self.resolve(schema) or {}, False) for name, schema in own]

    def resolve(self, schema: Any) -> Any:
        """A schema with its reference followed. Raises OpenApiUnusable."""
        return _resolved(self._document, schema)

    def properties(self, schema: Any) -> dict[str, Any]:
        """Members of an object's schema, those of its `allOf` first, in the document's order."""
        schema = self.resolve(schema)
        if not isinstance(schema, Mapping):
            return {}
        found: dict[str, Any] = {}
        for part in schema.get("allOf", ()):
            found |= self.properties(part)
        return found | (schema.get("properties") or {})

    def answer_media_types(self) -> list[str]:
        """Those of all answers, as the document orders them."""
        responses = [_resolved(self._document, one) for one in (self._operation.get("responses") or {}).values()]
        return list(dict.fromkeys(m for response in responses for m in (response.get("content") or {})))

    def security(self) -> list[list[Mapping[str, Any]]]:
        """Alternatives of what a caller must show, each a list of security schemes; an empty one: nothing."""
        given = self._operation.get("security", self._document.get("security")) or []
        schemes = (self._document.get("components") or {}).get("securitySchemes") or {}
        return [[self.resolve(schemes.get(name)) or {} for name in alternative] for alternative in given]

    def answer_fields(self) -> list[FieldSpec]:
        """Leaves and groups of every 2xx answer, those of a list's items like those of an object."""
        found: list[FieldSpec] = []
        for status, schema in self.answer_schemas.items():
            if status.startswith("2") and schema is not None:
                found += _fields(self._document, schema, "", _DEPTH)
        return found

    def _compiled(self, schema: Any, place: Place) -> Any:
        """place: of the schema. Raises OpenApiUnusable."""
        if schema is None:
            return None
        whole = {**schema, "components": self._document.get("components", {})}
        old = str(self._document["openapi"]).startswith("3.0")
        kind = jsonschema_rs.Draft4Validator if old else jsonschema_rs.Draft202012Validator
        try:
            return kind(_with_null(whole) if old else whole, validate_formats=True, retriever=_refuse)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            reason = str(error).strip().splitlines()[0]
            path = tuple(getattr(error, "instance_path", ()))
            raise OpenApiUnusable(
                f"the schema of {self.name} cannot be used: {reason}",
                place=path if path[:1] == ("components",) else (*place, *path),
                reference=None if path else reason,
            ) from error


class OpenApi:
    """The document: a file, or (name, bytes) as fetched. Raises OpenApiUnusable from the constructor."""

    def __init__(self, source: Path | tuple[str, bytes]) -> None:
        name = source.name if isinstance(source, Path) else source[0]
        try:
            data = source.read_bytes() if isinstance(source, Path) else source[1]
            text = data.decode("utf-8")
            self._document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
        except OSError as error:
            raise OpenApiUnusable(f"{name} cannot be read: {error.strerror}", asked="openapi") from error
        except (ValueError, yaml.YAMLError) as error:
            raise _unreadable(name, error) from error
        if not isinstance(self._document, dict) or not str(self._document.get("openapi", "")).startswith("3."):
            raise OpenApiUnusable(f"{name} is not an OpenAPI 3 document", place=("openapi",))

    def security_schemes(self) -> list[Mapping[str, Any]]:
        """Every way to show who asks that the document knows."""
        schemes = (self._document.get("components") or {}).get("securitySchemes") or {}
        return [found for one in schemes.values() if isinstance(found := _resolved(self._document, one), Mapping)]

    def operation(self, method: str, path: str, media_type: str | None = None) -> OpenApiOperation:
        """By method and path as in the document, without query. media_type: of the request body, of several.

        Raises OpenApiUnusable with the nearest name.
        """
        wanted = f"{method.upper()} {path.partition('?')[0]}"
        known: dict[str, Any] = {}
        for name, item in (self._document.get("paths") or {}).items():
            for verb, operation in _resolved(self._document, item).items():
                if isinstance(operation, dict):
                    shared = item.get("parameters") or [] if isinstance(item, dict) else []
                    own = operation.get("parameters") or []
                    known[f"{verb.upper()} {name}"] = {**operation, "parameters": [*shared, *own]}
        if wanted not in known:
            near = get_close_matches(wanted, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known)) or 'none'}."
            raise OpenApiUnusable(f"there is no operation {wanted}; {hint}", asked="path")
        return OpenApiOperation(self._document, wanted, known[wanted], media_type, address=path)


def _unreadable(name: str, error: Exception) -> OpenApiUnusable:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return OpenApiUnusable(f"{name} is not YAML: {error.problem}", line=error.problem_mark.line + 1)
    if isinstance(error, json.JSONDecodeError):
        return OpenApiUnusable(f"{name} is not JSON: {error.msg}", line=error.lineno)
    return OpenApiUnusable(f"{name} is neither YAML nor JSON in UTF-8")


def plain(value: Any) -> Any:
    """A body as the JSON library knows it: amounts (`Decimal`) become numbers, exactly up to 15 digits."""
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def schema_fields(schema: Mapping[str, Any]) -> list[FieldSpec]:
    """Of a JSON Schema that is a document of its own: leaves and groups. Raises OpenApiUnusable (broken references)."""
    return list(_fields(schema, schema, "", _DEPTH))


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is not in this file: bring a copy into the document")


def _resolved(document: Mapping[str, Any], value: Any) -> Any:
    """Follow `$ref`s inside the document. Raises OpenApiUnusable for one that leads nowhere, in a circle or
    elsewhere.
    """
    reference = ""
    for _ in range(_DEPTH):
        if not isinstance(value, Mapping) or "$ref" not in value:
            return value
        reference = str(value["$ref"])
        value = document
        for part in reference.removeprefix("#/").split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None:
            raise OpenApiUnusable(f"{reference} leads nowhere", reference=reference)
    raise OpenApiUnusable("references go in a circle", reference=reference)


def _chosen(operation: str, contents: Mapping[str, Any], wanted: str | None, place: Place) -> str | None:
    """The media type of the request body. place: of `contents`. Raises OpenApiUnusable when the operation takes none
    that was wanted, or that can be written.
    """
    if wanted is not None and contents:
        if wanted not in contents:
            takes = f"{operation} does not take {wanted}; it takes: {', '.join(contents)}"
            raise OpenApiUnusable(takes, asked="media_type")
        return wanted
    writable = sorted((m for m in contents if kind_of(m)), key=lambda m: KINDS.index(kind_of(m) or "json"))
    if contents and not writable:
        raise OpenApiUnusable(f"{operation} takes only what cannot be written here: {', '.join(contents)}", place=place)
    return writable[0] if writable else wanted


def _parameters(
    document: Mapping[str, Any], operation: Mapping[str, Any], named: Collection[str]
) -> Iterator[tuple[str, Any]]:
    """Of the path, and of the query those that are named."""
    for parameter in operation.get("parameters") or ():
        given = _resolved(document, parameter)
        if isinstance(given, Mapping) and (
            given.get("in") == "path" or (given.get("in") == "query" and given.get("name") in named)
        ):
            yield str(given.get("name")), given.get("schema") or {}


def _json_content(holder: Any) -> tuple[str, Any]:
    """Media type and schema of the JSON content of a response; (empty, None) if there is none."""
    for media_type, content in ((holder or {}).get("content") or {}).items():
        if kind_of(media_type) == "json":
            return str(media_type), content.get("schema")
    return "", None


def _with_null(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable: true` in words of JSON Schema."""
    if isinstance(schema, list):
        return [_with_null(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    changed = {name: _with_null(member) for name, member in schema.items()}
    if changed.get("nullable") is True and isinstance(changed.get("type"), str):
        changed["type"] = [changed["type"], "null"]
        if isinstance(changed.get("enum"), list):
            changed["enum"] = [*changed["enum"], None]
    return changed


def _errors(validator: Any, value: Any) -> list[str]:
    if validator is None:
        return []
    return [
        f"/{'/'.join(str(part) for part in error.instance_path)}: {error.message}"
        for error in validator.iter_errors(plain(value))
    ]


def _fields(document: Mapping[str, Any], schema: Any, prefix: str, depth: int) -> Iterator[FieldSpec]:
    schema = _resolved(document, schema)
    if depth == 0 or not isinstance(schema, Mapping):
        return
    for part in schema.get("allOf", ()):
        yield from _fields(document, part, prefix, depth - 1)
    if "items" in schema:
        yield from _fields(document, schema["items"], prefix, depth - 1)
    required = set(schema.get("required", ()))
    for name, member in (schema.get("properties") or {}).items():
        inner = _resolved(document, member)
        repeated = isinstance(inner, Mapping) and "items" in inner
        leaf = _resolved(document, inner["items"]) if repeated else inner
        yield _spec(f"{prefix}{name}", name in required, leaf if isinstance(leaf, Mapping) else {}, repeated)
        yield from _fields(document, inner, f"{prefix}{name}.", depth - 1)


def _spec(path: str, required: bool, schema: Mapping[str, Any], repeated: bool) -> FieldSpec:
    kind = schema.get("type", "")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "")
    group = kind == "object" or "properties" in schema or "allOf" in schema
    allowed = tuple(str(value) for value in schema.get("enum", ()) if value is not None)
    type_name = "group" if group else str(schema.get("format") or kind or "any")
    return FieldSpec(path, required, type_name, allowed, schema.get("maxLength"), repeated)
