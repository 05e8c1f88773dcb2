"""The REST adapter: one request with a JSON body, checked against the target's OpenAPI before and after.

What the target is told besides the body: `Idempotency-Key` (a quoted string,
draft-ietf-httpapi-idempotency-key-header-06), the same for every attempt of a delivery, and `Possible-Repeat: true`
when an earlier attempt's outcome was unknown. A target that answers a repeat with `Idempotent-Replayed: true` (a
common convention) says that it had the case already.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from adapters import content, paths
from adapters.base import DeliveryError, FieldSpec, OutcomeUnknown, Permanent, Preview, Receipt, Request, TargetConfig
from adapters.guard import only_decisions, only_questions
from adapters.http import Answer, HttpConnection, HttpSettings
from adapters.openapi import OpenApi, OpenApiOperation, OpenApiUnusable, plain
from adapters.settings import Condition, PathText, config_finding, first_match, read_probe, read_settings
from xoev_schemas.documents import JsonDocument, Unreadable, parse
from xoev_schemas.findings import Finding, Text

REPEAT_HEADER = "Possible-Repeat"
REPLAYED_HEADER = "Idempotent-Replayed"


class RestSettings(HttpSettings):
    """`target.yaml` of a REST target, besides what every HTTP target has.

    path: below `url`, as in the OpenAPI document. repeat_mark: where the body says that it may be a repeat, besides
    the header.
    success, already_there: what the answer says (see the SOAP adapter; the same meaning).
    """

    openapi: str | None = None
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    path: str = ""
    repeat_mark: PathText | None = None
    success: Condition | None = None
    already_there: Condition | None = None


class RestProbe(BaseModel):
    """`probe:` — a GET by our key.

    path: `/vorgaenge?fremdId={key}` is a search: an empty list says no. `/vorgaenge/{key}` names the case itself: 404
    says no; after a search 404 is a wrong path.
    references: paths in the answer (`$[0].vorgangsnummer` in a list).
    key: a place in the answer that must hold our key, for searches that could find others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET"] = "GET"
    path: str = Field(pattern=r"\{key\}")
    references: dict[str, PathText] = Field(default_factory=dict)
    key: PathText | None = None

    def names_the_case(self) -> bool:
        return "{key}" in self.path.partition("?")[0]


class RestAdapter:
    """One REST target. The OpenAPI document is read at the first use; shared by all threads."""

    def __init__(self, config: TargetConfig) -> None:
        self._config = config
        self._settings, wrong = read_settings(RestSettings, config)
        self._probe, wrong_probe = read_probe(RestProbe, config)
        self._wrong = wrong + wrong_probe
        self._lock = threading.Lock()
        self._opened: _Resource | None = None

    def check(self) -> list[Finding]:
        if self._settings is None or self._wrong:
            return list(self._wrong)
        try:
            operation = _operation(self._settings, self._config)
            search = _search(self._settings, self._probe, self._config)
        except OpenApiUnusable as error:
            return [self._finding("Datei oder Vorgang sind nicht brauchbar.", str(error), "openapi")]
        findings: list[Finding] = []
        if operation is not None:
            findings += self._check_places({"key": self._config.key}, operation.fields(), operation.name)
            told = {f"references.{name}": path for name, path in self._config.references.items()}
            findings += self._check_places(told, operation.answer_fields(), operation.name)
        if search is not None and self._probe is not None:
            told = {f"probe.references.{name}": path for name, path in self._probe.references.items()}
            findings += self._check_places(told, search.answer_fields(), search.name)
        return findings

    def required_fields(self) -> list[FieldSpec] | None:
        if self._settings is None:
            return None
        try:
            operation = _operation(self._settings, self._config)
        except OpenApiUnusable:
            return None
        return operation.fields() if operation is not None else None

    def ping(self) -> None:
        with only_decisions():
            resource = self._resource()
            resource.connection.knock(resource.settings.url)

    def deliver(self, request: Request) -> Receipt:
        with only_decisions() as progress:
            resource = self._resource()
            headers, data = self._message(resource, request)
            progress.sent = True
            answer = resource.send(resource.settings.method, resource.settings.path, headers, data)
            return self._receipt(resource, answer)

    def preview(self, request: Request) -> Preview:
        with only_decisions():
            resource = self._resource()
            headers, data = self._message(resource, request)
            settings = resource.settings
            url, headers = resource.url(settings.path), {**resource.ACCEPT, **headers}
            return resource.connection.preview(settings.method, url, headers, data)

    def probe(self, key: str) -> Receipt | None:
        probe = self._probe
        if probe is None:
            raise Permanent("probe.unsupported", failure="contract")
        with only_questions():
            resource = self._resource()
            answer = resource.send("GET", probe.path.replace("{key}", quote(key, safe="")), {}, b"")
            if answer.status == 404 and probe.names_the_case() and not answer.is_html:
                return None
            if (error := resource.connection.status_error(answer)) is not None:
                raise error
            value = _value(answer)
            if not value or (probe.key is not None and str(paths.read(value, probe.key)) != key):
                return None
            if resource.search is not None and (errors := resource.search.answer_errors(answer.status, value)):
                raise OutcomeUnknown("rest.answer_invalid", detail="\n".join(errors))
            references = _references(probe.references or self._config.references, value)
            return Receipt(references, answer.body, answer.media_type, already_there=True)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.connection.close()
                self._opened = None

    def _resource(self) -> _Resource:
        """The connection, opened once. Raises Permanent when the configuration does not allow it."""
        with self._lock:
            if self._opened is None:
                if self._settings is None or self._wrong:
                    raise Permanent("config.invalid", failure="contract")
                try:
                    self._opened = _Resource(self._settings, self._probe, self._config)
                except (OpenApiUnusable, OSError) as error:
                    raise Permanent("config.invalid", failure="contract", detail=str(error)) from None
            return self._opened

    def _message(self, resource: _Resource, request: Request) -> tuple[dict[str, str], bytes]:
        """Header fields and body. Raises Permanent (class `mapping`) for a body that does not fit."""
        body = self._body(resource, request)
        if resource.operation is not None and (errors := resource.operation.body_errors(body)):
            raise Permanent("rest.request_invalid", failure="mapping", detail="\n".join(errors))
        headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{request.key}"'}
        if request.possible_repeat:
            headers[REPEAT_HEADER] = "true"
        return headers, json.dumps(plain(body), ensure_ascii=False, separators=(",", ":")).encode()

    def _body(self, resource: _Resource, request: Request) -> Any:
        body = content.fill(request.body, request.attachments, lambda data: base64.b64encode(data).decode("ascii"))
        try:
            if self._config.key is not None:
                body = paths.write(body, self._config.key, request.key)
            if request.possible_repeat and resource.settings.repeat_mark is not None:
                body = paths.write(body, resource.settings.repeat_mark, True)
        except ValueError as error:
            raise Permanent("config.path", failure="contract", detail=str(error)) from None
        return body

    def _receipt(self, resource: _Resource, answer: Answer) -> Receipt:
        settings = resource.settings
        if (error := resource.connection.status_error(answer)) is not None:
            if self._knows_key(settings, answer, error):
                return Receipt(
                    _references(self._config.references, _tolerant(answer)), answer.body, answer.media_type, True
                )
            raise error
        value = _value(answer) if answer.body.strip() else None
        operation = resource.operation
        if operation is not None and (value is not None or operation.has_body(answer.status)):
            errors = operation.answer_errors(answer.status, value)
            if errors:
                raise OutcomeUnknown("rest.answer_invalid", detail="\n".join(errors))
        if settings.success is not None:
            verdict = settings.success.judge(lambda path: paths.read(value, path))
            if verdict is None:
                raise OutcomeUnknown("rest.success_missing", detail=answer.text())
            if not verdict:
                raise Permanent("rest.refused", detail=answer.text())
        already = answer.headers.get(REPLAYED_HEADER.lower(), "").lower() in ("true", "?1")
        if settings.already_there is not None:
            already = already or settings.already_there.judge(lambda path: paths.read(value, path)) is True
        return Receipt(_references(self._config.references, value), answer.body, answer.media_type, already)

    @staticmethod
    def _knows_key(settings: RestSettings, answer: Answer, error: DeliveryError) -> bool:
        """Look the error up in the target's table of faults. True: success in disguise; raises what a row says;
        False: no row.
        """
        problem = _tolerant(answer)
        kind = paths.read(problem, "$.type") or ""
        code = paths.read(problem, "$.code") or ""
        rule = first_match(settings.faults, f"{answer.status} {kind} {code} {answer.text()}")
        if rule is None:
            return False
        ruled = rule.error(error.detail)
        if ruled is not None:
            raise ruled
        return True

    def _check_places(
        self, places: Mapping[str, str | None], fields: list[FieldSpec] | None, operation: str
    ) -> list[Finding]:
        if not fields:
            return []
        known = {field.path for field in fields}
        return [
            self._finding(
                f"{setting}: {path} gibt es in der Nachricht von {operation} nicht.",
                f"{setting}: {path} is not in the message of {operation}.",
                setting,
            )
            for setting, path in places.items()
            if path is not None and ".".join(s for s in paths.parse(path) if isinstance(s, str)) not in known
        ]

    def _finding(self, de: str, en: str, setting: str | None = None) -> Finding:
        return config_finding(
            self._config,
            f"Die Angaben passen nicht zur OpenAPI-Beschreibung des Ziels: {de}",
            f"The settings do not fit the target's OpenAPI document: {en}",
            remedy=Text(
                "Vergleichen Sie target.yaml mit der Beschreibung der Schnittstelle.",
                "Compare target.yaml with the description of the interface.",
            ),
            found=setting,
            code="config.rest",
        )


class _Resource:
    """The configured operation and search of one target, ready for calls from any thread."""

    ACCEPT: ClassVar[Mapping[str, str]] = {"Accept": "application/json, application/problem+json"}

    def __init__(self, settings: RestSettings, probe: RestProbe | None, config: TargetConfig) -> None:
        self.settings = settings
        self.operation = _operation(settings, config)
        self.search = _search(settings, probe, config)
        self.connection = HttpConnection(settings, Path(config.folder), config.timeout)

    def url(self, path: str) -> str:
        return self.settings.url.rstrip("/") + path

    def send(self, method: str, path: str, headers: Mapping[str, str], data: bytes) -> Answer:
        answer = self.connection.send(method, self.url(path), headers={**self.ACCEPT, **headers}, content=data)
        if not answer.complete and 200 <= answer.status < 300:
            raise OutcomeUnknown("http.answer_too_large")
        return answer


def _operation(settings: RestSettings, config: TargetConfig) -> OpenApiOperation | None:
    if settings.openapi is None:
        return None
    return OpenApi(Path(config.folder) / settings.openapi).operation(settings.method, settings.path)


def _search(settings: RestSettings, probe: RestProbe | None, config: TargetConfig) -> OpenApiOperation | None:
    """The description of the probe; None where the path holds the key itself, whose parameter has a name of its own."""
    if settings.openapi is None or probe is None or probe.names_the_case():
        return None
    return OpenApi(Path(config.folder) / settings.openapi).operation(probe.method, probe.path)


def _value(answer: Answer) -> Any:
    """The JSON of a success. Raises OutcomeUnknown: something was done, and the answer does not say what."""
    try:
        document = parse(answer.body, answer.media_type or "application/json")
    except Unreadable:
        raise OutcomeUnknown("rest.answer_unreadable", detail=answer.text()) from None
    if not isinstance(document, JsonDocument):
        raise OutcomeUnknown("rest.answer_unreadable", detail=answer.text())
    return document.value


def _tolerant(answer: Answer) -> Any:
    """The JSON of an error answer (RFC 9457, also under `application/json`), or None."""
    try:
        document = parse(answer.body, "application/json")
    except Unreadable:
        return None
    return document.value if isinstance(document, JsonDocument) else None


def _references(places: Mapping[str, str], value: Any) -> dict[str, str]:
    found = {name: paths.read(value, path) for name, path in places.items()}
    return {name: str(v) for name, v in found.items() if v is not None and not isinstance(v, dict | list) and str(v)}
