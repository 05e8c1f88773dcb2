"""A simulated SOAP system: strict about its WSDL, gives case numbers, can be searched by the sender's key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

from lxml import etree
from zeep.wsdl.utils import etree_to_string

from adapters import paths
from adapters.soap.addressing import WSA
from adapters.soap.envelope import SOAP11, SOAP12, Envelope, NotSoap, read_envelope
from adapters.soap.mtom import NotMtom, pack, unpack
from adapters.soap.security import WSSE, WSU
from adapters.soap.wsdl import Operation, Wsdl
from adapters.testkit.certificates import Authority
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest
from adapters.testkit.ledger import KeyReused, Received
from adapters.testkit.soap_gate import Refused, SoapGate, Wanted
from xoev_schemas.documents import text_of

Fact = Literal["number", "file", "known", "key"]

_CODES12 = {"s:MustUnderstand": "s:MustUnderstand", "s:Server": "s:Receiver"}

ANSWER: Mapping[str, Fact] = {"Vorgangsnummer": "number", "Aktenzeichen": "file", "Doppelt": "known"}


class SoapDepartment(HttpDepartment):
    """operation: makes a case; further: do so too, with the key in the same place. search: finds one by key (None = the
    system cannot be searched).

    key, repeat_mark: where they stand in the request; search_key: in the search. answer: names in the answers (`A.B`
    for one below another) → what they say; names that the WSDL does not know are left out. wanted: what the header
    must show. mtom: cases come, and answers go, as MTOM. Raises WsdlUnusable, or ValueError when the answers would not
    be valid.
    """

    def __init__(
        self,
        wsdl: Path,
        *,
        operation: str = "VorgangAnlegen",
        further: Sequence[str] = (),
        search: str | None = "VorgangSuchen",
        key: str = "$.Vorgang.FremdId",
        repeat_mark: str | None = "$.Vorgang.Wiederholung",
        search_key: str = "$.FremdId",
        answer: Mapping[str, Fact] = ANSWER,
        prefix: str = "SOAP",
        idempotent: bool = True,
        wanted: Wanted | None = None,
        mtom: bool = False,
        authority: Authority | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(prefix=prefix, idempotent=idempotent, authority=authority, host=host, port=port)
        self._wsdl = Wsdl(wsdl)
        self._operation = self._wsdl.operation(operation)
        self._search = self._wsdl.operation(search) if search is not None else None
        others = [self._wsdl.operation(name) for name in further]
        self._known = [self._operation, *others, *([self._search] if self._search is not None else [])]
        self._key, self._repeat_mark, self._search_key = key, repeat_mark, search_key
        self._answer = answer
        self._gate, self._mtom = SoapGate(wanted or Wanted()), mtom
        self._names = {
            known.name: {field.path for field in self._wsdl.fields(known.response or "")} for known in self._known
        }
        self._try_answer()

    def read(self, request: HttpRequest) -> HttpReply | Case:
        if request.method != "POST":
            return HttpReply(405, "text/plain", b"POST only", {"Allow": "POST"})
        try:
            packed = request.headers.get("content-type", "").startswith("multipart/related")
            envelope = _envelope(request) if packed else read_envelope(request.body)
        except (NotSoap, NotMtom) as error:
            return self._fault("s:Client", str(error))
        body = envelope.body
        operation = self._called(body)
        if body is None or operation is None or envelope.soap12 != operation.soap12:
            return self._fault("s:Client", "no such operation here")
        if self._mtom and operation is not self._search and not packed:
            return self._fault("s:Client", "attachments are taken beside the message only")
        if _action(request) not in (operation.action, "" if operation.soap12 else operation.action):
            return self._fault("s:Client", "the action is not that of the operation")
        try:
            self._gate.judge(
                envelope.root, operation.addressing or operation.action, [name for _, name in operation.headers]
            )
        except Refused as refused:
            return self._fault(refused.code, str(refused))
        if errors := self._wsdl.errors(body):
            # Real systems repeat what they got; so does this one.
            return self._fault("s:Client", errors[0])
        if operation is self._search:
            return self._found(operation, paths.read_xml(body, self._search_key) or "")
        return self._case(body, request.body)

    def _case(self, body: etree._Element, raw: bytes) -> HttpReply | Case:
        key = paths.read_xml(body, self._key)
        if key is None:
            return self._fault("s:Client", "the sender's key is missing")
        marked = self._repeat_mark is not None and paths.read_xml(body, self._repeat_mark) in ("true", "1")
        content = as_dict(body)
        return Case(key, content if isinstance(content, dict) else {}, raw, marked)

    def _called(self, body: etree._Element | None) -> Operation | None:
        """The operation that takes this element."""
        return next(
            (operation for operation in self._known if body is not None and body.tag == operation.request), None
        )

    def act(self, case: Case) -> HttpReply:
        try:
            record = self.ledger.take(case.key, case.body, case.raw, marked=case.marked)
        except KeyReused:  # nothing is compared here
            return self._fault("s:Client", "the key was used for something else")
        return self._reply(self._operation, self._values(self._operation, record))

    def refusal(self) -> HttpReply:
        return self._fault("s:Client", "Der Vorgang wird hier nicht bearbeitet.")

    def failure(self) -> HttpReply:
        return self._fault("s:Server", "Etwas ist schiefgegangen.")

    def _found(self, operation: Operation, key: str) -> HttpReply:
        record = self.ledger.find(key)
        return self._reply(operation, self._values(operation, record))

    def _values(self, operation: Operation, record: Received | None) -> dict[str, Any]:
        """record: None = nothing found; what stands around the facts is there all the same."""
        values: dict[str, Any] = {}
        for name, fact in self._answer.items():
            if name not in self._names[operation.name]:
                continue
            if record is not None:
                told = {"known": record.known, "key": record.key, **record.references}[fact]
                values = paths.write(values, f"$.{name}", told)
            elif around := name.rpartition(".")[0]:
                values = paths.write(values, f"$.{around}", {})
        return values

    def _try_answer(self) -> None:
        record = Received("key", {}, "", False, {"number": "1", "file": "1"}, known=False)
        for operation in self._known:
            envelope = self._wsdl.answer(operation, self._values(operation, record))
            if errors := self._wsdl.errors(_body(envelope)):
                raise ValueError(f"the answers of {operation.name} would not be valid: {errors[0]}")

    def _reply(self, operation: Operation, values: Mapping[str, Any]) -> HttpReply:
        envelope = self._wsdl.answer(operation, values)
        if self._mtom:
            action = operation.action if operation.soap12 else ""
            body, media_type = pack(envelope, [], media_type=operation.media_type, action=action, key="answer")
            return HttpReply(200, media_type, b"".join(body))
        data: bytes = etree_to_string(envelope)  # type: ignore[no-untyped-call]
        return HttpReply(200, _media_type(operation.soap12), data)

    def _fault(self, code: str, text: str) -> HttpReply:
        """code: as SOAP 1.1 has it; in SOAP 1.2 what is not one of its own stands below `Sender`."""
        soap12 = self._operation.soap12
        namespace = SOAP12 if soap12 else SOAP11
        if soap12:
            main = _CODES12.get(code, "s:Sender")
            special = "" if code.startswith("s:") else f"<s:Subcode><s:Value>{code}</s:Value></s:Subcode>"
            inner = f"<s:Code><s:Value>{main}</s:Value>{special}</s:Code>"
            inner += f'<s:Reason><s:Text xml:lang="de">{escape(text)}</s:Text></s:Reason>'
        else:
            inner = f"<faultcode>{code}</faultcode><faultstring>{escape(text)}</faultstring>"
        names = f'xmlns:s="{namespace}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}" xmlns:wsa="{WSA}"'
        envelope = f"<s:Envelope {names}><s:Body><s:Fault>{inner}</s:Fault></s:Body></s:Envelope>"
        status = 400 if soap12 and code != "s:Server" else 500
        return HttpReply(status, _media_type(soap12), envelope.encode())


def _envelope(request: HttpRequest) -> Envelope:
    root, parts = unpack(request.headers["content-type"], request.body)
    return read_envelope(root, parts)


def _media_type(soap12: bool) -> str:
    return "application/soap+xml; charset=utf-8" if soap12 else "text/xml; charset=utf-8"


def _action(request: HttpRequest) -> str:
    """The action as told beside the message: its own header (SOAP 1.1) or a parameter of the media type (SOAP 1.2)."""
    if "soapaction" in request.headers:
        return request.headers["soapaction"].strip().strip('"')
    for parameter in request.headers.get("content-type", "").split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "action":
            return value.strip('"')
    return ""


def _body(envelope: etree._Element) -> etree._Element:
    return next(child for child in envelope if etree.QName(child).localname == "Body")[0]


def as_dict(element: etree._Element) -> dict[str, object] | str:
    """Nested dicts by local names; a name that comes several times holds a list; leaves are text."""
    if not len(element):
        return text_of(element)
    members: dict[str, list[object]] = {}
    for child in element.iterchildren("*"):
        members.setdefault(etree.QName(child).localname, []).append(as_dict(child))
    return {name: values[0] if len(values) == 1 else values for name, values in members.items()}
