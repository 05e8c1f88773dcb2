"""SOAP envelopes as received: the body's element or the fault, and what a fault means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from adapters.base import DeliveryError, OutcomeUnknown, Permanent, Retryable
from adapters.soap.addressing import WSA
from adapters.soap.mtom import resolve
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
    """body: the one element in the SOAP body (None for an empty body or a fault). soap12: the envelope's version.

    relates_to: id of the message that this one answers, where it says so (WS-Addressing). root: the whole.
    """

    body: etree._Element | None
    fault: Fault | None
    soap12: bool
    relates_to: str | None
    root: etree._Element


def read_envelope(data: bytes, parts: Mapping[str, bytes] | None = None) -> Envelope:
    """Parse a message with hard bounds. parts: of an MTOM message, by content id; they are put where the message refers
    to them. Raises NotSoap or NotMtom; their texts name no content.
    """
    try:
        document = parse(data, "application/xml")
    except Unreadable as error:
        raise NotSoap(f"not readable: {error}") from None
    assert isinstance(document, XmlDocument)
    root = document.root
    namespace = etree.QName(root).namespace
    if etree.QName(root).localname != "Envelope" or namespace not in (SOAP11, SOAP12):
        raise NotSoap("not an envelope")
    if parts is not None:
        resolve(root, parts)
    bodies = root.findall(f"{{{namespace}}}Body")
    if len(bodies) != 1 or len(bodies[0]) > 1:
        raise NotSoap("not one body with one element")
    soap12 = namespace == SOAP12
    child = bodies[0][0] if len(bodies[0]) else None
    fault = None
    if child is not None and child.tag == f"{{{namespace}}}Fault":
        fault, child = _fault12(child) if soap12 else _fault11(child), None
    relates_to = root.findtext(f"{{{namespace}}}Header/{{{WSA}}}RelatesTo")
    return Envelope(child, fault, soap12, (relates_to or "").strip() or None, root)


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


_REFUSALS = re.compile(
    # StUF 03.01 §4.4.3: the place of the fault is the client. CMIS 1.1 §2.2.1.4: all but `runtime`, `storage`.
    r"<(?:\w+:)?plek[^>]*>client<"
    r"|<(?:\w+:)?cmisFault\b.*<(?:\w+:)?type[^>]*>(?:constraint|nameConstraintViolation|contentAlreadyExists"
    r"|filterNotValid|invalidArgument|notSupported|objectNotFound|permissionDenied|streamNotSupported"
    r"|updateConflict|versioning)<",
    re.DOTALL,
)


def fault_error(fault: Fault) -> DeliveryError:
    """What a fault means where the target's own table says nothing. A server's fault says nothing about whether it
    acted, unless its detail does.
    """
    names = set(fault.codes)
    detail = fault.as_text()
    if _REFUSALS.search(fault.detail[:65536]):
        return Permanent("soap.client", detail=detail)
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
