"""What a strict SOAP server wants in the header: who is asking, signed by whom, when, for what."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidInput, InvalidSignature
from signxml.verifier import SignatureConfiguration, XMLVerifier

from adapters.soap.addressing import WSA
from adapters.soap.security import DS, WSSE, WSU

_FRESH = timedelta(minutes=5)


class Refused(Exception):
    """code: of the fault, with the prefix that the envelope declares for it (`wsse:FailedAuthentication`)."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """password: by user, for UsernameToken. digest: text is refused. signer: whose signature over body, time stamp and
    addressing is wanted. addressing: `wsa:Action`, `MessageID`, `To` must be there.
    """

    password: tuple[str, str] | None = None
    digest: bool = True
    signer: x509.Certificate | None = None
    addressing: bool = False


class SoapGate:
    """Judges the header of requests as the specifications say. Thread-safe; a nonce is good once."""

    def __init__(self, wanted: Wanted, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._wanted = wanted
        self._clock = clock
        self._lock = threading.Lock()
        self._nonces: set[str] = set()

    def judge(self, envelope: etree._Element, action: str, headers: Collection[str]) -> None:
        """headers: names of the elements that the operation knows. Raises Refused."""
        header = envelope.find(f"{{{etree.QName(envelope).namespace}}}Header")
        blocks = list(header) if header is not None else []
        self._understand(envelope, blocks, headers)
        self._addressing(blocks, action)
        security = next((block for block in blocks if block.tag == f"{{{WSSE}}}Security"), None)
        if self._wanted.password is None and self._wanted.signer is None:
            return
        if security is None:
            raise Refused("wsse:InvalidSecurity", "no security header")
        # First whose message it is: nothing else in it can be believed before.
        if self._wanted.signer is not None:
            self._signature(envelope, security, blocks, self._wanted.signer)
        self._timestamp(security)
        if self._wanted.password is not None:
            self._username(security, *self._wanted.password)

    def _understand(self, envelope: etree._Element, blocks: list[etree._Element], headers: Collection[str]) -> None:
        """SOAP 1.1 §4.2.3, SOAP 1.2 part 1 §5.2.3."""
        must = f"{{{etree.QName(envelope).namespace}}}mustUnderstand"
        secured = self._wanted.password is not None or self._wanted.signer is not None
        for block in blocks:
            namespace = etree.QName(block).namespace
            known = block.tag in headers or namespace == WSA or (namespace == WSSE and secured)
            if block.get(must) in ("1", "true") and not known:
                raise Refused("s:MustUnderstand", f"{etree.QName(block).localname} is not understood here")
        present = {block.tag for block in blocks}
        if missing := [name for name in headers if name not in present and not name.startswith(f"{{{WSSE}}}")]:
            raise Refused("s:Client", f"the header {missing[0]} is missing")

    def _addressing(self, blocks: list[etree._Element], action: str) -> None:
        told = {etree.QName(b).localname: (b.text or "").strip() for b in blocks if etree.QName(b).namespace == WSA}
        if self._wanted.addressing and not {"Action", "MessageID", "To", "ReplyTo"} <= told.keys():
            raise Refused("wsa:MessageAddressingHeaderRequired", "Action, MessageID, To or ReplyTo is missing")
        if "Action" in told and told["Action"] != action:
            raise Refused("wsa:ActionNotSupported", "the action is not that of the operation")

    def _timestamp(self, security: etree._Element) -> None:
        stamp = security.find(f"{{{WSU}}}Timestamp")
        if stamp is None:
            if self._wanted.signer is not None:
                raise Refused("wsse:InvalidSecurity", "a signature without time is good for ever")
            return
        created, expires = (_moment(stamp.findtext(f"{{{WSU}}}{name}")) for name in ("Created", "Expires"))
        if not created - _FRESH <= self._clock() < expires:
            raise Refused("wsu:MessageExpired", "the message is too old, or of tomorrow")

    def _username(self, security: etree._Element, user: str, password: str) -> None:
        """UsernameToken profile 1.1 §3."""
        token = security.find(f"{{{WSSE}}}UsernameToken")
        held = token.find(f"{{{WSSE}}}Password") if token is not None else None
        if token is None or held is None:
            raise Refused("wsse:FailedAuthentication", "who are you?")
        given = held.text or ""
        if held.get("Type", "").endswith("#PasswordDigest"):
            nonce, created = token.findtext(f"{{{WSSE}}}Nonce") or "", token.findtext(f"{{{WSU}}}Created") or ""
            self._once(nonce, created)
            digest = hashlib.sha1(base64.b64decode(nonce) + created.encode() + password.encode())  # noqa: S324
            password = base64.b64encode(digest.digest()).decode()
        elif self._wanted.digest:
            raise Refused("wsse:UnsupportedSecurityToken", "no passwords in the clear")
        if (token.findtext(f"{{{WSSE}}}Username"), given) != (user, password):
            raise Refused("wsse:FailedAuthentication", "who are you?")

    def _once(self, nonce: str, created: str) -> None:
        if abs(self._clock() - _moment(created)) > _FRESH:
            raise Refused("wsu:MessageExpired", "the token is too old, or of tomorrow")
        with self._lock:
            if not nonce or nonce in self._nonces:
                raise Refused("wsse:FailedAuthentication", "this token was used before")
            self._nonces.add(nonce)

    def _signature(
        self,
        envelope: etree._Element,
        security: etree._Element,
        blocks: list[etree._Element],
        signer: x509.Certificate,
    ) -> None:
        """Everything that is acted on must be what was signed, not only something."""
        signature = security.find(f"{{{DS}}}Signature")
        if signature is None:
            raise Refused("wsse:InvalidSecurity", "the message is not signed")
        references = signature.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
        try:
            XMLVerifier().verify(
                envelope,
                x509_cert=signer,
                expect_config=SignatureConfiguration(
                    expect_references=len(references),
                    location=".//",
                    signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256}),
                    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
                ),
            )
        except (InvalidSignature, InvalidInput) as error:
            raise Refused("wsse:FailedCheck", "the signature is not good") from error
        signed = {reference.get("URI", "").removeprefix("#") for reference in references}
        addressing = [block for block in blocks if etree.QName(block).namespace == WSA]
        tokens = [child for child in security if child is not signature]
        for element in (envelope[-1], *addressing, *tokens):
            if element.get(f"{{{WSU}}}Id") not in signed:
                raise Refused("wsse:InvalidSecurity", f"{etree.QName(element).localname} is not signed")


def _moment(text: str | None) -> datetime:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        raise Refused("wsse:InvalidSecurity", "not a time") from None
