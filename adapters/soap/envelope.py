"""SOAP envelopes as received: the body's element or the fault, and what a fault means."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from adapters.base import DeliveryError, OutcomeUnknown, Permanent, Retryable
from xoev_schemas.documents import Unreadable, XmlDocument, parse, text_of

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"


class NotSoap(Exception):
    """The bytes are no SOAP envelope with exactly one element in its body."""


@dataclass(frozen=True, slots=True)
class Fault:
    """codes: local names from general to special (`Sender`, `FailedAuthentication`).

    text: the reason; detail: as XML. Both are foreign and may hold personal data.
    """

    codes: tuple[str, ...]
    text: str
    detail: str

    def as_text(self) -> str:
        return f"{'.'.join(self.codes)} {self.text} {self.detail}".strip()


@dataclass(frozen=True, slots=True)
class Envelope:
    """body: the one element in the SOAP body (None for an empty body or a fault). soap12: the envelope's version."""

    body: etree._Element | None
    fault: Fault | None
    soap12: bool


def read_envelope(data: bytes) -> Envelope:
    """Parse a message with hard bounds. Raises NotSoap; its text names no content."""
    try:
        document = parse(data, "application/xml")
    except Unreadable as error:
        raise NotSoap(f"not readable: {error}") from None
    assert isinstance(document, XmlDocument)
    root = etree.QName(document.root)
    if root.localname != "Envelope" or root.namespace not in (SOAP11, SOAP12):
        raise NotSoap("not an envelope")
    bodies = document.root.findall(f"{{{root.namespace}}}Body")
    if len(bodies) != 1 or len(bodies[0]) > 1:
        raise NotSoap("not one body with one element")
    soap12 = root.namespace == SOAP12
    if len(bodies[0]) == 0:
        return Envelope(None, None, soap12)
    child = bodies[0][0]
    if child.tag == f"{{{root.namespace}}}Fault":
        return Envelope(None, _fault12(child) if soap12 else _fault11(child), soap12)
    return Envelope(child, None, soap12)


def body_of(envelope: etree._Element) -> etree._Element:
    """The one element in the body of a message of our own."""
    return envelope[-1][0]


def _fault11(fault: etree._Element) -> Fault:
    # SOAP 1.1 §4.4: unqualified children; codes grow by dots (`Client.Authentication`).
    code = _local((fault.findtext("faultcode") or "").strip())
    detail = fault.find("detail")
    return Fault(
        tuple(code.split(".")),
        (fault.findtext("faultstring") or "").strip(),
        _xml(detail) if detail is not None else "",
    )


def _fault12(fault: etree._Element) -> Fault:
    ns = f"{{{SOAP12}}}"
    codes = [_local(text_of(value).strip()) for value in fault.iterfind(f"{ns}Code//{ns}Value")]
    reason = fault.find(f"{ns}Reason/{ns}Text")
    detail = fault.find(f"{ns}Detail")
    return Fault(
        tuple(codes), text_of(reason).strip() if reason is not None else "", _xml(detail) if detail is not None else ""
    )


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _xml(element: etree._Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)


_AUTH = frozenset(
    # OASIS WS-Security 1.1 §12, and the usual words of SOAP 1.1 servers.
    {
        "FailedAuthentication",
        "InvalidSecurityToken",
        "InvalidSecurity",
        "FailedCheck",
        "SecurityTokenUnavailable",
        "UnsupportedSecurityToken",
        "Authentication",
        "Authorization",
    }
)
_CONTRACT = frozenset(
    # SOAP 1.1/1.2, and WS-Addressing 1.0 SOAP Binding §6.
    {
        "VersionMismatch",
        "MustUnderstand",
        "DataEncodingUnknown",
        "InvalidAddressingHeader",
        "MessageAddressingHeaderRequired",
        "DestinationUnreachable",
        "ActionNotSupported",
    }
)


def fault_error(fault: Fault) -> DeliveryError:
    """What a fault means where the target's own table says nothing. A server's fault says nothing about whether it
    acted.
    """
    names = set(fault.codes)
    detail = fault.as_text()
    if names & _AUTH:
        return Permanent("soap.auth", failure="auth", detail=detail)
    if "MessageExpired" in names:  # wsu: one of the clocks is wrong
        return Retryable("soap.message_expired", detail=detail)
    if names & _CONTRACT:
        return Permanent("soap.contract", failure="contract", detail=detail)
    if "EndpointUnavailable" in names:  # WS-Addressing: "unable to process the message at this time"
        return Retryable("soap.endpoint_unavailable", detail=detail)
    if "Client" in names or "Sender" in names:
        return Permanent("soap.client", detail=detail)
    if names & {"Server", "Receiver"}:
        return OutcomeUnknown("soap.server", detail=detail)
    return OutcomeUnknown("soap.fault", detail=detail)
