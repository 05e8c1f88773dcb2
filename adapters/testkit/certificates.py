"""Certificates of an authority that lives as long as a test: good ones, and those that nobody may believe."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Shown = Literal["good", "expired_certificate", "wrong_host", "unknown_authority"]

_YEAR = timedelta(days=365)
_HERE: tuple[x509.GeneralName, ...] = (
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.DNSName("localhost"),
)
_ELSEWHERE: tuple[x509.GeneralName, ...] = (x509.DNSName("anderes-amt.example"),)


class Authority:
    """Made in a folder. file: PEM of its own certificate, which a client is told to believe."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "authority.pem"
        own, stranger = _Issuer.make("Testkit"), _Issuer.make("Somebody else")
        self.file.write_bytes(own.certificate.public_bytes(serialization.Encoding.PEM))
        now = datetime.now(UTC)
        last_year = (now - 2 * _YEAR, now - _YEAR)
        self._contexts: Mapping[Shown, ssl.SSLContext] = {
            "good": own.server(folder / "good.pem", _HERE),
            "expired_certificate": own.server(folder / "expired.pem", _HERE, last_year),
            "wrong_host": own.server(folder / "elsewhere.pem", _ELSEWHERE),
            "unknown_authority": stranger.server(folder / "stranger.pem", _HERE),
        }

    def context(self, shown: Shown) -> ssl.SSLContext:
        """How a server on this machine shows that certificate."""
        return self._contexts[shown]


@dataclass(frozen=True, slots=True)
class _Issuer:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, name: str) -> _Issuer:
        key = ec.generate_private_key(ec.SECP256R1())
        own = _begun(_name(name), _name(name), key.public_key())
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        own = own.add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True
        )
        own = own.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return cls(own.sign(key, hashes.SHA256()), key)

    def server(
        self, file: Path, names: tuple[x509.GeneralName, ...], valid: tuple[datetime, datetime] | None = None
    ) -> ssl.SSLContext:
        """A context with a fresh key and a certificate for these names; both stay in the file."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _begun(_name("Fachverfahren"), self.certificate.subject, key.public_key(), valid)
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        signed = made.add_extension(issuer, critical=False).sign(self.key, hashes.SHA256())
        pem = signed.public_bytes(serialization.Encoding.PEM)
        pem += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    valid: tuple[datetime, datetime] | None = None,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    begin, end = valid or (now - timedelta(hours=1), now + timedelta(days=1))
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return made.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
