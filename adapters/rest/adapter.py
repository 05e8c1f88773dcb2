"""The REST adapter: one request, checked against the target's OpenAPI before and after.

What the target is told besides the body: `Idempotency-Key` (a quoted string,
draft-ietf-httpapi-idempotency-key-header-06), the same for every attempt of a delivery, and `Possible-Repeat: true`
when an earlier attempt's outcome was unknown. A target that answers a repeat with `Idempotent-Replayed: true` (a
common convention) says that it had the case already.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from adapters import deadline, paths
from adapters.base import (
    DeliveryError,
    FieldSpec,
    OutcomeUnknown,
    Permanent,
    Preview,
    Receipt,
    Request,
    Retryable,
    TargetConfig,
)
from adapters.contract import differences, missing_answers
from adapters.guard import only_decisions, only_questions
from adapters.http import Answer, HttpConnection, Streamed, check_tls, on_the_host, retry_after
from adapters.openapi import OpenApi, OpenApiOperation, OpenApiUnusable, kind_of
from adapters.rest import bodies, following
from adapters.rest.answers import Reading, as_meant, reading, tolerant, with_problem
from adapters.rest.checks import check_settings, finding, unusable, with_key_place
from adapters.rest.settings import Asynchronous, RestProbe, RestSettings
from adapters.settings import first_match, read_settings_and_probe
from xoev_schemas.findings import Finding

REPEAT_HEADER = "Possible-Repeat"
REPLAYED_HEADER = "Idempotent-Replayed"


class RestAdapter:
    """One REST target. The OpenAPI document is read at the first use; shared by all threads."""

    def __init__(self, config: TargetConfig) -> None:
        self._config = config
        self._settings, self._probe, self._wrong = read_settings_and_probe(RestSettings, RestProbe, config)
        self._lock = threading.Lock()
        self._opened: _Resource | None = None

    def check(self) -> list[Finding]:
        if self._settings is None or self._wrong:
            return list(self._wrong)
        settings, config, found = self._settings, self._config, check_tls(self._settings.tls, self._config)
        operation: OpenApiOperation | None = None
        search: OpenApiOperation | None = None
        try:
            operation = _operation(settings, config)
            search = _search(settings, self._probe, config)
            return found + (check_settings(config, settings, self._probe, operation, search) if operation else [])
        except OpenApiUnusable as error:
            prefix = "probe." if operation is not None and error.asked is not None else ""
            return [*found, unusable(config, settings.openapi or "", error, prefix)]

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
            headers, message = self._message(resource, request)
            with deadline.exchange(self._config.timeout):
                if resource.settings.precondition == "unchanged":
                    headers["If-Match"] = _version(resource, message.path)
                progress.sent = True
                answer = resource.send(resource.settings.method, message.path, headers, message.data)
                if answer.status == 412 and resource.settings.precondition == "absent":
                    return self._is_there(resource, message.path)
            return self._receipt(resource, answer, request.key)

    def preview(self, request: Request) -> Preview:
        with only_decisions():
            resource = self._resource()
            headers, message = self._message(resource, request)
            settings = resource.settings
            url, headers = resource.url(message.path), {**resource.accept, **headers}
            return resource.connection.preview(settings.method, url, headers, message.data)

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
                raise with_problem(error, answer)
            said = reading(answer)
            if not said or (probe.key is not None and str(said.read(probe.key)) != key):
                return None
            if resource.search is not None and said.is_json:
                _hold_to(resource.search, answer, said)
            references = said.references(probe.references or self._config.references)
            return Receipt(references, answer.body, answer.media_type, already_there=True)

    def follow(self, ticket: str) -> Receipt:
        """What came of a case that was taken with 202; ticket: path and query on the target's host."""
        with only_questions(), deadline.exchange(self._config.timeout):
            resource = self._resource()
            told = resource.settings.asynchronous
            url = urljoin(resource.settings.url, ticket)
            answer = resource.get(url) if told else None
            if answer is not None and answer.status == 303:  # "see other": the result has an address of its own
                result = on_the_host(url, urljoin(url, answer.headers.get("location", "")))
                answer = resource.get(urljoin(url, result)) if result is not None else None
        if not isinstance(told, Asynchronous) or answer is None or answer.status in (404, 410):
            raise OutcomeUnknown("rest.status_gone")
        with only_questions():
            if (error := resource.connection.status_error(answer)) is not None:
                raise self._ruled(resource.settings, answer, with_problem(error, answer)) or error
        with only_decisions():
            return following.outcome(told, self._config.references, ticket, answer, _wait(answer))

    def compare_contract(self) -> list[Finding] | None:
        with only_questions():
            resource = self._resource()
            settings, operation = resource.settings, resource.operation
            if settings.served_at is None or operation is None:
                return None
            answer = resource.get(urljoin(settings.url, settings.served_at))
            if (error := resource.connection.status_error(answer)) is not None:
                raise error
        try:
            served = OpenApi((settings.served_at, answer.body)).operation(
                settings.method, settings.path, operation.media_type
            )
        except OpenApiUnusable as error:
            return [finding(self._config, "Die angebotene Beschreibung ist nicht brauchbar.", str(error), "served_at")]
        found = differences(self._config, operation.fields() or [], served.fields() or [])
        places = [paths.dotted(path) for path in self._config.references.values()]
        return found + missing_answers(self._config, places, served.answer_fields())

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

    def _message(self, resource: _Resource, request: Request) -> tuple[dict[str, str], bodies.Message]:
        """Header fields and message. Raises Permanent (class `mapping`) for a body that does not fit."""
        settings = resource.settings
        media_type = resource.operation.media_type if resource.operation is not None else None
        body = self._body(resource, request)
        message = bodies.write(resource.operation, settings.path, media_type or settings.media_type, request, body)
        headers = {"Content-Type": message.media_type, "Idempotency-Key": f'"{request.key}"'}
        if settings.precondition == "absent":
            headers["If-None-Match"] = "*"
        if request.possible_repeat:
            headers[REPEAT_HEADER] = "true"
        return headers, message

    def _body(self, resource: _Resource, request: Request) -> Any:
        body: Any = request.body
        try:
            if self._config.key is not None:
                body = paths.write(body, self._config.key, request.key)
            if request.possible_repeat and resource.settings.repeat_mark is not None:
                body = paths.write(body, resource.settings.repeat_mark, True)
        except ValueError as error:
            raise Permanent("config.path", failure="contract", detail=str(error)) from None
        return body

    def _receipt(self, resource: _Resource, answer: Answer, key: str) -> Receipt:
        settings = resource.settings
        if answer.status == 412 and settings.precondition == "unchanged":
            # Somebody else changed it between our reading and our writing: the next attempt reads anew.
            raise Retryable("rest.changed_meanwhile", failure="throttled", detail=answer.text())
        if (error := resource.connection.status_error(answer)) is not None:
            ruled = self._ruled(settings, answer, with_problem(error, answer))
            if ruled is not None:
                raise ruled
            references = tolerant(answer).references(self._config.references)
            return Receipt(references, answer.body, answer.media_type, already_there=True)
        if answer.status == 202 and isinstance(settings.asynchronous, Asynchronous):
            raise following.taken(settings.asynchronous, settings.url, answer, _wait(answer))
        said = reading(answer)
        if resource.operation is not None and (said.is_json or resource.operation.has_body(answer.status)):
            _hold_to(resource.operation, answer, said)
        if resource.operation is None and self._config.references and _is_missing(answer):
            raise OutcomeUnknown("rest.answer_unreadable")
        if settings.echo is not None and str(said.read(settings.echo)) != key:
            raise OutcomeUnknown("rest.answer_unexpected", detail=answer.text())
        _judge_success(settings, answer, said)
        already = answer.headers.get(REPLAYED_HEADER.lower(), "").lower() in ("true", "?1")
        if settings.already_there is not None:
            already = already or settings.already_there.judge(said.read) is True
        return Receipt(said.references(self._config.references), answer.body, answer.media_type, already)

    def _is_there(self, resource: _Resource, path: str) -> Receipt:
        """`If-None-Match: *` failed: an earlier attempt made it, for the address holds our key. What it is called is
        read there.
        """
        answer = resource.send("GET", path, {}, b"")
        said = tolerant(answer) if answer.status == 200 else Reading(None)
        return Receipt(said.references(self._config.references), answer.body, answer.media_type, already_there=True)

    @staticmethod
    def _ruled(settings: RestSettings, answer: Answer, error: DeliveryError) -> DeliveryError | None:
        """What the target's table of faults makes of an error; None: success in disguise. Without a row, the error."""
        problem = tolerant(answer)
        kind, code = problem.read("$.type") or "", problem.read("$.code") or ""
        rule = first_match(settings.faults, f"{answer.status} {kind} {code} {answer.text()}")
        return error if rule is None else rule.error(error.detail)


class _Resource:
    """The configured operation and search of one target, ready for calls from any thread."""

    def __init__(self, settings: RestSettings, probe: RestProbe | None, config: TargetConfig) -> None:
        if settings.openapi is not None:
            document = OpenApi(Path(config.folder) / settings.openapi)
            settings = with_key_place(settings, document.security_schemes())
        self.settings = settings
        self.operation = _operation(settings, config)
        self.search = _search(settings, probe, config)
        self.connection = HttpConnection(settings, Path(config.folder), config.timeout)
        self.accept = {"Accept": ", ".join(_acceptable(self.operation))}

    def url(self, path: str) -> str:
        return self.settings.url.rstrip("/") + path

    def get(self, url: str) -> Answer:
        return as_meant(self.connection.send("GET", url, headers=self.accept))

    def send(self, method: str, path: str, headers: Mapping[str, str], data: bytes | Streamed) -> Answer:
        sent = self.connection.send(method, self.url(path), headers={**self.accept, **headers}, content=data)
        answer = as_meant(sent)
        if not answer.complete and 200 <= answer.status < 300:
            raise OutcomeUnknown("http.answer_too_large")
        return answer


def _acceptable(operation: OpenApiOperation | None) -> list[str]:
    """What the document declares of what we can read; JSON and problems always."""
    declared = operation.answer_media_types() if operation is not None else []
    readable = [m for m in declared if kind_of(m) in ("json", "xml")]
    return list(dict.fromkeys([*readable, "application/json", "application/problem+json"]))


def _operation(settings: RestSettings, config: TargetConfig) -> OpenApiOperation | None:
    if settings.openapi is None:
        return None
    document = OpenApi(Path(config.folder) / settings.openapi)
    return document.operation(settings.method, settings.path, settings.media_type)


def _search(settings: RestSettings, probe: RestProbe | None, config: TargetConfig) -> OpenApiOperation | None:
    """The description of the probe; None where the path holds the key itself, whose parameter has a name of its own."""
    if settings.openapi is None or probe is None or probe.names_the_case():
        return None
    return OpenApi(Path(config.folder) / settings.openapi).operation(probe.method, probe.path)


def _version(resource: _Resource, path: str) -> str:
    """The entity tag of what is to be changed (RFC 9110 §8.8.3). Nothing was sent yet, so nothing is unknown."""
    with only_questions():
        answer = resource.send("GET", path, {}, b"")
    if answer.status in (404, 410):
        raise Permanent("rest.not_there", detail=answer.text())
    if (error := resource.connection.status_error(answer)) is not None:
        raise with_problem(error, answer)
    tag = answer.headers.get("etag", "")
    if not tag or tag.startswith("W/"):  # a weak one never matches (§13.1.1)
        raise Permanent("rest.no_etag", failure="contract")
    return tag


def _hold_to(operation: OpenApiOperation, answer: Answer, said: Reading) -> None:
    """Raises OutcomeUnknown for an answer against its own description: something was done, and who knows what."""
    errors = operation.answer_errors(answer.status, said.json)
    if not said.is_json and not errors:
        errors = ["the answer that the document promises did not come"]
    if errors:
        raise OutcomeUnknown("rest.answer_invalid", detail="\n".join(errors))


def _is_missing(answer: Answer) -> bool:
    """Whether there is nothing where something was to be read; 202 and 204 may have nothing to say."""
    return answer.status not in (202, 204) and not answer.body.strip()


def _judge_success(settings: RestSettings, answer: Answer, said: Reading) -> None:
    if settings.success is None:
        return
    verdict = settings.success.judge(said.read)
    if verdict is None:
        raise OutcomeUnknown("rest.success_missing", detail=answer.text())
    if not verdict:
        raise Permanent("rest.refused", detail=answer.text())


def _wait(answer: Answer) -> float | None:
    return retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
