"""A target's port: requests that are valid or not sent at all, and answers that are valid or a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from adapters import content
from adapters.base import OutcomeUnknown, Permanent, Preview, RequestAttachment, TargetConfig
from adapters.guard import Progress
from adapters.http import Answer, HttpConnection, Streamed
from adapters.http_auth import MASKED
from adapters.settings import first_match
from adapters.soap import mtom
from adapters.soap.addressing import address, header_of, message_id
from adapters.soap.envelope import Envelope, Fault, NotSoap, fault_error, read_envelope
from adapters.soap.security import Security
from adapters.soap.settings import HEADER, SoapSettings
from adapters.soap.wsdl import Operation, Wsdl

_SAYS_MORE = ("unavailable", "throttled", "auth")


class KnownKey(Exception):
    """A fault that the target's table of faults reads as "I know this key": success, though it looks like an error."""


@dataclass(frozen=True, slots=True)
class _Message:
    headers: Mapping[str, str]
    content: bytes | Streamed


class Port:
    """The operation's port of one target, ready for calls from any thread. Raises WsdlUnusable, or OSError when a file
    is unusable.
    """

    def __init__(self, settings: SoapSettings, config: TargetConfig) -> None:
        folder = Path(config.folder)
        self.settings = settings
        self.wsdl = Wsdl(folder / settings.wsdl)
        self.operation = self.wsdl.operation(settings.operation, port=settings.port)
        self.connection = HttpConnection(settings, folder, config.timeout)
        self._security = Security(settings.security, folder) if settings.security is not None else None

    def fetch(self, url: str) -> bytes:
        """A document of the description that the target serves."""
        answer = self.connection.send("GET", url)
        if (error := self.connection.status_error(answer)) is not None:
            raise error
        return answer.body

    def call(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        key: str,
        progress: Progress,
        attachments: Sequence[RequestAttachment] = (),
    ) -> Answer:
        """Build, check, send. Raises Permanent (class `mapping`) for a body that does not fit, before anything is
        sent.
        """
        message = self._message(operation, body, key, attachments)
        progress.sent = True
        return self.connection.send("POST", self.settings.url, headers=message.headers, content=message.content)

    def preview(self, body: Mapping[str, Any], key: str, attachments: Sequence[RequestAttachment]) -> Preview:
        """What `call` would send; without passwords, signature, and what target.yaml puts into the header."""
        message = self._message(self.operation, body, key, attachments, hidden=True)
        return self.connection.preview("POST", self.settings.url, message.headers, message.content)

    # --- the request ---

    def _message(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        key: str,
        attachments: Sequence[RequestAttachment],
        *,
        hidden: bool = False,
    ) -> _Message:
        packs = self.settings.attachments_as == "mtom"
        stand_ins = mtom.StandIns(key)
        filled = content.replace(body, attachments, stand_ins.make if packs else RequestAttachment.read)
        envelope = self._envelope(operation, filled)
        if hidden and self.settings.soap_headers:
            self._hide_headers(operation, envelope)
        if self._addresses(operation):
            to = self.settings.addressed_to or self.settings.url
            address(envelope, action=operation.addressing or operation.action, to=to, key=key)
        places = stand_ins.places(envelope)
        if self._security is not None:
            if self._security.signs:
                mtom.write_inline(places)
            self._security.apply(envelope, hidden=hidden)
        if not places:
            data = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
            return _Message(operation.http_headers, data)
        action = operation.action if operation.soap12 else ""
        packed, media_type = mtom.pack(envelope, places, media_type=operation.media_type, action=action, key=key)
        return _Message({**operation.http_headers, "Content-Type": media_type}, packed)

    def _envelope(self, operation: Operation, values: Mapping[str, Any]) -> etree._Element:
        """Valid, without what the protocols around it add. Raises Permanent (class `mapping`)."""
        known = {part for part, _ in operation.headers}
        headers = {part: value for part, value in self.settings.soap_headers.items() if part in known}
        headers |= values.get(HEADER) or {}
        body = {name: value for name, value in values.items() if name != HEADER}
        try:
            envelope = self.wsdl.message(operation, body, headers)
        except ValueError as error:
            raise Permanent("soap.request_unbuildable", failure="mapping", detail=str(error)) from None
        # zeep checks little, and what it writes must be what the target's own types say.
        elements = [element for block in envelope for element in block]
        declared = [element for element in elements if element in envelope[-1] or self.wsdl.declares(str(element.tag))]
        if errors := [error for element in declared for error in self.wsdl.errors(element)]:
            raise Permanent("soap.request_invalid", failure="mapping", detail="\n".join(errors))
        return envelope

    def _hide_headers(self, operation: Operation, envelope: etree._Element) -> None:
        """What is fixed in target.yaml may be a secret; what is mapped from a case is not."""
        fixed = {element for part, element in operation.headers if part in self.settings.soap_headers}
        for element in (inner for field in header_of(envelope) if field.tag in fixed for inner in field.iter()):
            if (element.text or "").strip():
                element.text = MASKED

    def _addresses(self, operation: Operation) -> bool:
        wanted = self.settings.addressing
        return operation.addressing is not None if wanted is None else wanted

    # --- the answer ---

    def element(self, operation: Operation, answer: Answer, key: str) -> etree._Element | None:
        """The answer's element, valid; None for an empty body. Raises what the answer means otherwise, or KnownKey."""
        if answer.is_html:
            raise self.connection.status_error(answer) or OutcomeUnknown("soap.answer_unreadable", detail=answer.text())
        if not answer.complete:
            raise self.connection.status_error(answer) or OutcomeUnknown("http.answer_too_large")
        if operation.response is None and 200 <= answer.status < 300 and not answer.body.strip():
            return None
        try:
            envelope = _read(answer)
        except (NotSoap, mtom.NotMtom) as error:
            raise self.connection.status_error(answer) or OutcomeUnknown(
                "soap.answer_unreadable", detail=f"{error}: {answer.text()}"
            ) from None
        return self._body(operation, answer, envelope, key)

    def _body(self, operation: Operation, answer: Answer, envelope: Envelope, key: str) -> etree._Element | None:
        if envelope.fault is not None:
            raise self._meaning(answer, envelope.fault)
        if (error := self.connection.status_error(answer)) is not None:
            raise error
        body = envelope.body
        of_another = envelope.relates_to not in (None, message_id(key)) and self._addresses(operation)
        if of_another or (body.tag if body is not None else None) != operation.response:
            raise OutcomeUnknown("soap.answer_unexpected", detail=answer.text())
        if body is not None and (errors := self.wsdl.errors(body)):
            raise OutcomeUnknown("soap.answer_invalid", detail="\n".join(errors))
        return body

    def _meaning(self, answer: Answer, fault: Fault) -> Exception:
        rule = first_match(self.settings.faults, f"{answer.status} {fault.as_text()}")
        if rule is not None:
            return rule.error(fault.as_text()) or KnownKey()
        meaning = fault_error(fault)
        by_status = self.connection.status_error(answer)
        # A server's fault alone says little; "not now" or "who are you" in the status says more.
        if isinstance(meaning, OutcomeUnknown) and by_status is not None and by_status.failure in _SAYS_MORE:
            return by_status
        return meaning


def _read(answer: Answer) -> Envelope:
    if answer.media_type != "multipart/related":
        return read_envelope(answer.body)
    root, parts = mtom.unpack(answer.headers["content-type"], answer.body)
    return read_envelope(root, parts)
