"""WS-Security 1.1 in a request: a name with its password, a time stamp, a signature (OASIS SOAP Message Security, its
UsernameToken and X.509 profiles).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from lxml import etree
from pydantic import BaseModel, ConfigDict, Field
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner
from zeep.wsse.username import UsernameToken

from adapters.http_auth import MASKED
from adapters.periods import Seconds
from adapters.soap.addressing import WSA, header_of

_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
WSSE = f"{_OASIS}-wssecurity-secext-1.0.xsd"
WSU = f"{_OASIS}-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
_X509 = f"{_OASIS}-x509-token-profile-1.0#X509v3"
_BASE64 = f"{_OASIS}-soap-message-security-1.0#Base64Binary"
_NAMES = {"wsse": WSSE, "wsu": WSU}


class UsernameSettings(BaseModel):
    """digest: the password goes as a digest with nonce and time (default), else as text, which only TLS protects."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    password: str
    digest: bool = True


class SignatureSettings(BaseModel):
    """certificate, key: PEM, or PKCS#12 with both in one file (`.p12`, `.pfx`); paths from the target's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: str
    key: str | None = None
    key_password: str | None = None


class SecuritySettings(BaseModel):
    """`security:` of a SOAP target. timestamp: how long a message is valid; signed where there is a signature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    username: UsernameSettings | None = None
    timestamp: Seconds | None = Field(default=None, gt=0)
    signature: SignatureSettings | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def load_identity(settings: SignatureSettings, folder: Path) -> Identity:
    """Raises OSError when a file is missing or not usable; its text holds no secrets."""
    file = folder / settings.certificate
    password = settings.key_password.encode() if settings.key_password is not None else None
    try:
        if file.suffix.lower() in (".p12", ".pfx"):
            key, certificate, _ = pkcs12.load_key_and_certificates(file.read_bytes(), password)
        else:
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
            held = (folder / settings.key).read_bytes() if settings.key is not None else file.read_bytes()
            key = serialization.load_pem_private_key(held, password)
    except (ValueError, TypeError) as error:
        raise OSError(f"{file.name} or its key cannot be read, or the password is another one") from error
    if certificate is None or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise OSError(f"{file.name} holds no certificate with an RSA or EC key")
    return Identity(certificate, key)


class Security:
    """Thread-safe. Raises OSError from the constructor when a file is unusable."""

    def __init__(
        self, settings: SecuritySettings, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._identity = load_identity(settings.signature, folder) if settings.signature is not None else None

    @property
    def signs(self) -> bool:
        return self._identity is not None

    def apply(self, envelope: etree._Element, *, hidden: bool = False) -> None:
        """Write the header; afterwards nothing in the envelope may change. hidden: for people to look at, without what
        could be used.
        """
        now = self._clock()
        soap = etree.QName(envelope).namespace
        security = etree.SubElement(
            header_of(envelope), f"{{{WSSE}}}Security", {f"{{{soap}}}mustUnderstand": "1"}, nsmap=_NAMES
        )
        if self._identity is not None:
            token = etree.SubElement(
                security, f"{{{WSSE}}}BinarySecurityToken", {"ValueType": _X509, "EncodingType": _BASE64}
            )
            der = self._identity.certificate.public_bytes(serialization.Encoding.DER)
            token.text = base64.b64encode(der).decode("ascii")
        if self._settings.timestamp is not None:
            stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
            etree.SubElement(stamp, f"{{{WSU}}}Created").text = _utc(now)
            expires = now + timedelta(seconds=self._settings.timestamp)
            etree.SubElement(stamp, f"{{{WSU}}}Expires").text = _utc(expires)
        if self._settings.username is not None:
            _add_username(envelope, self._settings.username, now, hidden=hidden)
        if self._identity is not None:
            _add_signature(envelope, security, self._identity, hidden=hidden)


def _add_username(envelope: etree._Element, who: UsernameSettings, now: datetime, *, hidden: bool) -> None:
    token = UsernameToken(  # type: ignore[no-untyped-call]
        who.name,
        MASKED if hidden else who.password,
        use_digest=who.digest and not hidden,
        created=now,
        zulu_timestamp=True,
    )
    token.apply(envelope, {})  # type: ignore[no-untyped-call]


def _add_signature(envelope: etree._Element, security: etree._Element, identity: Identity, *, hidden: bool) -> None:
    """RSA or ECDSA with SHA-256 over body, addressing and everything in the security header, each by exclusive
    canonical form, so that the header may be moved and the envelope's prefixes change nothing.
    """
    if hidden:
        etree.SubElement(security, f"{{{DS}}}Signature", nsmap={"ds": DS}).text = MASKED
        return
    prefix = f"gw-{secrets.token_hex(6)}"
    signed = [envelope[-1], *header_of(envelope).iterchildren(f"{{{WSA}}}*"), *security.iterchildren("{*}*")]
    for number, element in enumerate(signed):
        element.set(f"{{{WSU}}}Id", f"{prefix}-{number}")
    token = security[0].get(f"{{{WSU}}}Id", "")
    key_info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS, "wsse": WSSE})
    reference = etree.SubElement(key_info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(reference, f"{{{WSSE}}}Reference", {"URI": f"#{token}", "ValueType": _X509})
    rsa_key = isinstance(identity.key, rsa.RSAPrivateKey)
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.RSA_SHA256 if rsa_key else SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    uris = [f"#{prefix}-{number}" for number in range(len(signed))]
    security.append(signer.sign(envelope, key=identity.key, reference_uri=uris, key_info=key_info))


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
