"""The SOAP adapter: a request in the shape of the operation's message goes out valid or not at all, and any answer is
a decision.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxml import etree
from pydantic import BaseModel, ConfigDict, Field

from adapters import content, paths
from adapters.base import FieldSpec, OutcomeUnknown, Permanent, Preview, Receipt, Request, TargetConfig
from adapters.guard import Progress, only_decisions, only_questions
from adapters.http import Answer, HttpConnection, HttpSettings
from adapters.settings import Condition, PathText, config_finding, first_match, read_probe, read_settings
from adapters.soap.envelope import Envelope, Fault, NotSoap, body_of, fault_error, read_envelope
from adapters.soap.wsdl import Operation, Wsdl, WsdlUnusable
from xoev_schemas.findings import Finding, Text

_SAYS_MORE = ("unavailable", "throttled", "auth")

_WSA = "{http://www.w3.org/2005/08/addressing}"


class SoapSettings(HttpSettings):
    """`target.yaml` of a SOAP target, besides what every HTTP target has.

    wsdl: file in the target's folder. port: which, if several have the operation (default: the first).
    repeat_mark: where the request says that it may be a repeat; set to true, only then.
    success: what the answer must say (targets that refuse by a number in the body; a missing value makes the outcome
    unknown).
    already_there: what the answer says when the target knew our key.
    """

    wsdl: str
    operation: str
    port: str | None = None
    repeat_mark: PathText | None = None
    success: Condition | None = None
    already_there: Condition | None = None


class SoapProbe(BaseModel):
    """`probe:` — a search operation by our key.

    key: where the key stands in the search (default: the last name of the target's `key`, at the top).
    references: where its answer carries them (default: as in the delivery's answer).
    found: a place that is filled exactly when there is a case; without it, any reference counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str
    key: PathText | None = None
    references: dict[str, PathText] = Field(default_factory=dict)
    found: PathText | None = None


class SoapAdapter:
    """One SOAP target. The WSDL is read at the first use and shared by all threads."""

    def __init__(self, config: TargetConfig) -> None:
        self._config = config
        self._settings, wrong = read_settings(SoapSettings, config)
        self._probe, wrong_probe = read_probe(SoapProbe, config)
        self._wrong = wrong + wrong_probe
        self._lock = threading.Lock()
        self._opened: _Port | None = None

    def check(self) -> list[Finding]:
        if self._settings is None or self._wrong:
            return list(self._wrong)
        try:
            wsdl = Wsdl(Path(self._config.folder) / self._settings.wsdl)
            operation = wsdl.operation(self._settings.operation, port=self._settings.port)
            search = wsdl.operation(self._probe.operation, port=self._settings.port) if self._probe else None
        except WsdlUnusable as error:
            return [self._finding("Datei oder Vorgang sind nicht brauchbar.", str(error), "wsdl")]
        findings = self._check_paths(wsdl, operation, self._settings)
        if self._probe is not None and search is not None:
            findings += self._check_probe(wsdl, search, self._probe)
        return findings

    def required_fields(self) -> list[FieldSpec] | None:
        if self._settings is None:
            return None
        try:
            port = self._port()
        except Permanent:
            return None
        return port.wsdl.fields(port.operation.request)

    def ping(self) -> None:
        with only_decisions():
            port = self._port()
            port.connection.knock(port.settings.url)

    def deliver(self, request: Request) -> Receipt:
        with only_decisions() as progress:
            port = self._port()
            answer = port.call(port.operation, self._body(port, request), request.key, progress)
            return self._receipt(port, answer)

    def preview(self, request: Request) -> Preview:
        with only_decisions():
            port = self._port()
            message = port.message(port.operation, self._body(port, request), request.key)
            return port.connection.preview("POST", port.settings.url, port.operation.http_headers, message)

    def probe(self, key: str) -> Receipt | None:
        probe = self._probe
        if probe is None:
            raise Permanent("probe.unsupported", failure="contract")
        with only_questions():
            port = self._port()
            search = port.wsdl.operation(probe.operation, port=port.settings.port)
            body = _written({}, self._probe_key(probe), key)
            answer = port.call(search, body, key, Progress())
            return self._found(probe, port.element(search, answer), answer)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.connection.close()
                self._opened = None

    def _port(self) -> _Port:
        """The connected port, opened once. Raises Permanent when the configuration does not allow it."""
        with self._lock:
            if self._opened is None:
                if self._settings is None or self._wrong:
                    raise Permanent("config.invalid", failure="contract")
                try:
                    self._opened = _Port(self._settings, self._config)
                except (WsdlUnusable, OSError) as error:
                    raise Permanent("config.invalid", failure="contract", detail=str(error)) from None
            return self._opened

    def _body(self, port: _Port, request: Request) -> dict[str, Any]:
        body = content.fill(request.body, request.attachments, bytes)
        body = _written(body, self._config.key, request.key)
        return _written(body, port.settings.repeat_mark, True) if request.possible_repeat else body

    def _receipt(self, port: _Port, answer: Answer) -> Receipt:
        try:
            element = port.element(port.operation, answer)
        except _KnownKey:
            return Receipt({}, answer.body, "text/xml", already_there=True)

        def read(path: str) -> str | None:
            return paths.read_xml(element, path) if element is not None else None

        settings = port.settings
        if settings.success is not None:
            verdict = settings.success.judge(read)
            if verdict is None:
                raise OutcomeUnknown("soap.success_missing", detail=answer.text())
            if not verdict:
                raise Permanent("soap.refused", detail=answer.text())
        already = settings.already_there is not None and settings.already_there.judge(read) is True
        return Receipt(_references(self._config.references, element), answer.body, "text/xml", already_there=already)

    def _found(self, probe: SoapProbe, element: etree._Element | None, answer: Answer) -> Receipt | None:
        if element is None:
            return None
        references = _references(probe.references or self._config.references, element)
        found = paths.read_xml(element, probe.found) is not None if probe.found else bool(references)
        return Receipt(references, answer.body, "text/xml", already_there=True) if found else None

    def _probe_key(self, probe: SoapProbe) -> str | None:
        if probe.key is not None or self._config.key is None:
            return probe.key
        return f"$.{paths.parse(self._config.key)[-1]}"

    # --- check ---

    def _check_paths(self, wsdl: Wsdl, operation: Operation, settings: SoapSettings) -> list[Finding]:
        request, answer = wsdl.fields(operation.request), wsdl.fields(operation.response or "")
        asked = {"key": self._config.key, "repeat_mark": settings.repeat_mark}
        told = {f"references.{name}": path for name, path in self._config.references.items()}
        told |= {"success.path": settings.success.path} if settings.success else {}
        told |= {"already_there.path": settings.already_there.path} if settings.already_there else {}
        return self._check_places(asked, request, operation.name) + self._check_places(told, answer, operation.name)

    def _check_probe(self, wsdl: Wsdl, search: Operation, probe: SoapProbe) -> list[Finding]:
        key = self._probe_key(probe)
        references = probe.references or dict(self._config.references)
        told: dict[str, str | None] = {f"probe.references.{name}": path for name, path in references.items()}
        told |= {"probe.found": probe.found}
        findings = self._check_places({"probe.key": key}, wsdl.fields(search.request), search.name)
        findings += self._check_places(told, wsdl.fields(search.response or ""), search.name)
        if key is None:
            findings.append(
                self._finding(
                    "probe.key fehlt: die Stelle der Suche für unseren Schlüssel.",
                    "probe.key is missing: where the search takes our key.",
                    "probe",
                )
            )
        if not references and probe.found is None:
            findings.append(
                self._finding(
                    "probe braucht references oder found: Sonst wäre ein Treffer nicht zu erkennen.",
                    "probe needs references or found: nothing would tell a hit from a miss.",
                    "probe",
                )
            )
        return findings

    def _check_places(self, places: Mapping[str, str | None], fields: list[FieldSpec], operation: str) -> list[Finding]:
        known = {field.path for field in fields}
        return [
            self._finding(
                f"{setting}: {path} gibt es in der Nachricht von {operation} nicht.",
                f"{setting}: {path} is not in the message of {operation}.",
                setting,
            )
            for setting, path in places.items()
            if path is not None
            and ".".join(str(s).lstrip("@") for s in paths.parse(path) if isinstance(s, str)) not in known
        ]

    def _finding(self, de: str, en: str, setting: str | None = None) -> Finding:
        return config_finding(
            self._config,
            f"Die Angaben passen nicht zur WSDL des Ziels: {de}",
            f"The settings do not fit the target's WSDL: {en}",
            remedy=Text(
                "Vergleichen Sie target.yaml mit der WSDL; Pfade nennen die Elemente unter der Nachricht.",
                "Compare target.yaml with the WSDL; paths name the elements below the message.",
            ),
            found=setting,
            code="config.soap",
        )


class _KnownKey(Exception):
    """A fault that the target's table of faults reads as "I know this key": success, though it looks like an error."""


class _Port:
    """The operation's port of one target, ready for calls from any thread."""

    def __init__(self, settings: SoapSettings, config: TargetConfig) -> None:
        folder = Path(config.folder)
        self.settings = settings
        self.wsdl = Wsdl(folder / settings.wsdl)
        self.operation = self.wsdl.operation(settings.operation, port=settings.port)
        self.connection = HttpConnection(settings, folder, config.timeout)

    def call(self, operation: Operation, body: Mapping[str, Any], key: str, progress: Progress) -> Answer:
        """Build, check, send. Raises Permanent (class `mapping`) for a body that does not fit, before anything is
        sent.
        """
        message = self.message(operation, body, key)
        progress.sent = True
        return self.connection.send("POST", self.settings.url, headers=operation.http_headers, content=message)

    def message(self, operation: Operation, body: Mapping[str, Any], key: str) -> bytes:
        """The envelope, valid. Raises Permanent (class `mapping`) for a body that does not fit."""
        try:
            envelope = self.wsdl.message(operation, body, self.settings.url)
        except ValueError as error:
            raise Permanent("soap.request_unbuildable", failure="mapping", detail=str(error)) from None
        # zeep checks little, and what it writes must be what the target's own types say.
        if errors := self.wsdl.errors(body_of(envelope)):
            raise Permanent("soap.request_invalid", failure="mapping", detail="\n".join(errors))
        for message_id in envelope.iter(f"{_WSA}MessageID"):
            # Every attempt of a delivery has the same one, so that the target can tell a repeat.
            message_id.text = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, key)}"
        return etree.tostring(envelope, xml_declaration=True, encoding="utf-8")

    def element(self, operation: Operation, answer: Answer) -> etree._Element | None:
        """The answer's element, valid; None for a one-way operation. Raises what the answer means otherwise, or
        _KnownKey.
        """
        if answer.is_html:
            raise self.connection.status_error(answer) or OutcomeUnknown("soap.answer_unreadable", detail=answer.text())
        if not answer.complete:
            raise self.connection.status_error(answer) or OutcomeUnknown("http.answer_too_large")
        if operation.response is None and 200 <= answer.status < 300 and not answer.body.strip():
            return None
        try:
            envelope = read_envelope(answer.body)
        except NotSoap as error:
            raise self.connection.status_error(answer) or OutcomeUnknown(
                "soap.answer_unreadable", detail=f"{error}: {answer.text()}"
            ) from None
        return self._body(operation, answer, envelope)

    def _body(self, operation: Operation, answer: Answer, envelope: Envelope) -> etree._Element | None:
        if envelope.fault is not None:
            raise self._meaning(answer, envelope.fault)
        if (error := self.connection.status_error(answer)) is not None:
            raise error
        body = envelope.body
        if body is None and operation.response is None:
            return None
        if body is None or body.tag != operation.response:
            raise OutcomeUnknown("soap.answer_unexpected", detail=answer.text())
        if errors := self.wsdl.errors(body):
            raise OutcomeUnknown("soap.answer_invalid", detail="\n".join(errors))
        return body

    def _meaning(self, answer: Answer, fault: Fault) -> Exception:
        rule = first_match(self.settings.faults, f"{answer.status} {fault.as_text()}")
        if rule is not None:
            return rule.error(fault.as_text()) or _KnownKey()
        meaning = fault_error(fault)
        by_status = self.connection.status_error(answer)
        # A server's fault alone says little; "not now" or "who are you" in the status says more.
        if isinstance(meaning, OutcomeUnknown) and by_status is not None and by_status.failure in _SAYS_MORE:
            return by_status
        return meaning


def _written(body: Mapping[str, Any], path: str | None, value: Any) -> dict[str, Any]:
    if path is None:
        return dict(body)
    try:
        return paths.write(body, path, value)
    except ValueError as error:
        raise Permanent("config.path", failure="contract", detail=str(error)) from None


def _references(places: Mapping[str, str], element: etree._Element | None) -> dict[str, str]:
    if element is None:
        return {}
    found = {name: paths.read_xml(element, path) for name, path in places.items()}
    return {name: value for name, value in found.items() if value is not None}
