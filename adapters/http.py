"""HTTP to a department system, for every adapter that speaks it: one exchange, bounded, and what its failures mean.

`HttpConnection.send` returns whatever HTTP answer came; everything else is one of the three errors. `status_error`
says what a status means where the body says nothing better. What no table here lists is unknown.
"""

from __future__ import annotations

import email.utils
import logging
import re
import secrets
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapters import deadline
from adapters.base import DeliveryError, OutcomeUnknown, Permanent, Preview, Retryable, TargetConfig
from adapters.http_auth import MASKED, Auth, AuthSettings
from adapters.periods import Seconds
from adapters.settings import AdapterSettings, FaultRule, PathText, config_finding
from adapters.unpacking import unpacked
from xoev_schemas.findings import Finding, Text

RETRY_AFTER_CAP = 24 * 3600.0
"""Seconds. A target that asks for more is asked again after a day."""

_PORTS = {"http": 80, "https": 443}

# These write URLs, headers or whole messages at their chattier levels.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.INFO)

_REFUSED_BY_TLS = re.compile(r"CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED")
"""Reasons of TLS alerts by which a server turns a client away (`TLSV13_ALERT_CERTIFICATE_REQUIRED`,
`TLSV1_ALERT_UNKNOWN_CA` …).
"""


_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]+(%[\w.-]+)?")
"""A name (international ones too, underscores as they are in use inside), IPv4, or IPv6 without its brackets."""


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address starts with http:// or https:// and names a host")
    if not _HOST.fullmatch(parts.hostname):
        raise ValueError("the address names a host that cannot be one: letters, digits, '-' and '.' make a name")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the port of an address is a number from 0 to 65535") from None
    if re.search(r"\s", value):
        raise ValueError("an address has no spaces; in a path they are written %20")
    return value


def _without_credentials(value: str) -> str:
    if "@" in urlsplit(value).netloc:
        raise ValueError("user and password belong in auth, not in the address")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]


class TlsSettings(BaseModel):
    """ca_bundle: PEM of the authorities believed (default: the system's). client_certificate, client_key: PEM, or
    PKCS#12 with both in one file (`.p12`, `.pfx`); paths from the target's folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca_bundle: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    client_key_password: str | None = None


class HttpSettings(AdapterSettings):
    """What every HTTP target may say.

    connect_timeout, send_timeout, read_timeout: of one step (a connection, a write, a read); the bound over all is the
    target's `timeout`, which is also the default of the last two.

    proxy: URL of an outgoing proxy; the environment's proxy variables are not read.
    max_answer_bytes: more is not read, and the outcome unknown.
    served_at: path and query on the target's host, where it serves its description today.
    echo: where the answer repeats our key; without it or with another there, the outcome is unknown: it is somebody
    else's answer.
    """

    url: Annotated[HttpUrl, AfterValidator(_without_credentials)]
    headers: dict[str, str] = Field(default_factory=dict)
    auth: AuthSettings | None = None
    tls: TlsSettings = TlsSettings()
    proxy: HttpUrl | None = None
    connect_timeout: Seconds = 10.0
    send_timeout: Seconds | None = None
    read_timeout: Seconds | None = None
    max_answer_bytes: int = Field(default=10 * 1024 * 1024, gt=0)
    faults: list[FaultRule] = Field(default_factory=list)
    served_at: str | None = Field(default=None, pattern="^/")
    echo: PathText | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as received. headers: names in lower case. complete: False when the body passed
    `max_answer_bytes`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True

    @property
    def media_type(self) -> str:
        """Without parameters, lower case; empty when the target named none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_html(self) -> bool:
        """A page for people: a login, a proxy, an application server's error."""
        start = self.body[:200].lstrip().lower()
        return self.media_type in ("text/html", "application/xhtml+xml") or start.startswith(
            (b"<!doctype html", b"<html")
        )

    def text(self) -> str:
        """The body as text, for `detail` and the table of faults; may hold personal data."""
        return self.body[:65536].decode("utf-8", errors="replace")


class Streamed(Protocol):
    """A body that is made while it is sent. size: in bytes, known before. Each iteration gives the same bytes."""

    @property
    def size(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class HttpConnection:
    """Connections to one target. Thread-safe: httpx's pool is, and every exchange keeps its own state.

    timeout: seconds for a whole exchange. Below the client of httpx, at its transport: one exchange and nothing by
    itself. No cookies (an answer for one case must not colour the next request), no redirects, nothing from the
    environment.
    """

    def __init__(
        self,
        settings: HttpSettings,
        folder: Path,
        timeout: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._timeout = timeout
        self._clock = clock
        self._auth = Auth(settings.auth, self._exchange)
        self._transport = deadline.DeadlineTransport(
            ssl_context(settings.tls, folder), keep_alive=settings.repeatable, proxy=settings.proxy
        )
        self._timeouts = httpx.Timeout(
            timeout,
            connect=min(settings.connect_timeout, timeout),
            write=min(settings.send_timeout or timeout, timeout),
            read=min(settings.read_timeout or timeout, timeout),
        ).as_dict()
        self._headers = {
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": "ozg-gateway",
            **settings.headers,
        }

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | Streamed = b""
    ) -> Answer:
        """One request, authorised; a 401 leads to one more with a fresh token where there is one. Any HTTP answer is
        returned.

        Raises Retryable, Permanent or OutcomeUnknown when there is none. Ends with the exchange that is running in
        this thread (`deadline.exchange`), if one is.
        """
        given = headers or {}
        url = _with_query(url, self._auth.query())
        with deadline.continued(self._timeout):
            answer = self._exchange(method, url, {**given, **self._auth.headers()}, content)
            if answer.status == 401 and self._auth.renew():
                answer = self._exchange(method, url, {**given, **self._auth.headers()}, content)
        return answer

    def preview(self, method: str, url: str, headers: Mapping[str, str], content: bytes | Streamed) -> Preview:
        """What `send` would send. What `target.yaml` puts into `headers` may be a secret as well as `auth` is."""
        request = self._request(method, url, {**headers, **self._auth.masked()}, content)
        hidden = {name.lower() for name in self._settings.headers} - {name.lower() for name in headers}
        sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        shown = {name: MASKED if name.lower() in hidden else value for name, value in sent}
        body = content if isinstance(content, bytes) else b"".join(content)
        return Preview(method, _with_query(url, dict.fromkeys(self._auth.query(), MASKED)), shown, body)

    def knock(self, url: str) -> None:
        """Is somebody there who knows us? Any answer will do but a refusal of our credentials or "not now".

        Raises Retryable or Permanent.
        """
        try:
            error = status_error(self.send("GET", url), self._clock())
        except OutcomeUnknown as unknown:
            raise Retryable(unknown.code, detail=unknown.detail) from unknown
        if isinstance(error, Retryable) or (error is not None and error.failure == "auth"):
            raise error

    def status_error(self, answer: Answer) -> DeliveryError | None:
        """`status_error` with this connection's clock."""
        return status_error(answer, self._clock())

    def close(self) -> None:
        self._transport.close()

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], content: bytes | Streamed) -> Answer:
        with deadline.continued(self._timeout) as wire:
            try:
                request = self._request(method, url, headers, content)
                with closing(self._transport.handle_request(request)) as response:
                    return self._read(response)
            except Exception as error:
                raise wire_error(error, wire) from error

    def _request(self, method: str, url: str, headers: Mapping[str, str], content: bytes | Streamed) -> httpx.Request:
        given = httpx.Headers(self._headers)
        given.update(headers)
        if not isinstance(content, bytes):
            given["Content-Length"] = str(content.size)  # old servers do not know chunks of unknown number
        given["Connection"] = "keep-alive" if self._settings.repeatable else "close"
        return httpx.Request(method, url, headers=given, content=content, extensions={"timeout": self._timeouts})

    def _read(self, response: httpx.Response) -> Answer:
        body = bytearray()
        complete = True
        for chunk in unpacked(response.iter_raw(), response.headers.get("content-encoding", "")):
            body += chunk
            if len(body) > self._settings.max_answer_bytes:
                del body[self._settings.max_answer_bytes :]
                complete = False
                break
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(body), complete)


def ssl_context(tls: TlsSettings, folder: Path) -> ssl.SSLContext:
    """Verifies the server always; with a client certificate where the target has one. Raises OSError (ssl.SSLError)
    if a file is unusable.
    """
    context = ssl.create_default_context(cafile=str(folder / tls.ca_bundle) if tls.ca_bundle else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.client_certificate and Path(tls.client_certificate).suffix.lower() in (".p12", ".pfx"):
        _load_pkcs12(context, folder / tls.client_certificate, tls.client_key_password)
    elif tls.client_certificate:
        key = str(folder / tls.client_key) if tls.client_key else None
        context.load_cert_chain(str(folder / tls.client_certificate), key, tls.client_key_password)
    return context


def check_tls(tls: TlsSettings, config: TargetConfig) -> list[Finding]:
    """The files that `tls` names are there, and usable together."""
    named = {name: getattr(tls, name) for name in ("ca_bundle", "client_certificate", "client_key")}
    folder = Path(config.folder)
    missing = [name for name, file in named.items() if file is not None and not (folder / file).is_file()]
    if missing:
        return [
            config_finding(
                config,
                f"tls.{name}: Diese Datei gibt es nicht.",
                f"tls.{name}: there is no such file.",
                remedy=Text(
                    "Legen Sie sie an; Pfade gelten ab dem Ordner des Ziels.",
                    "Put it there; paths begin in the target's folder.",
                ),
                found=f"tls.{name}",
                code="config.missing_file",
            )
            for name in missing
        ]
    try:
        ssl_context(tls, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        de, en = "tls: Zertifikat oder Schlüssel sind nicht brauchbar.", f"tls: the files cannot be used ({reason})."
        return [config_finding(config, de, en, found="tls")]
    return []


def _load_pkcs12(context: ssl.SSLContext, file: Path, password: str | None) -> None:
    """OpenSSL's Python interface reads PEM files only: one is made for a moment, its key under a password of that
    moment. Raises OSError.
    """
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(
            file.read_bytes(), password.encode() if password is not None else None
        )
    except ValueError as error:
        raise OSError(f"{file.name} is not PKCS#12, or its password is another one") from error
    if certificate is None or key is None:
        raise OSError(f"{file.name} holds no certificate with its key")
    once = secrets.token_hex(16)
    encryption = serialization.BestAvailableEncryption(once.encode())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    pem += b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, *chain))
    with tempfile.NamedTemporaryFile() as made:
        made.write(pem)
        made.flush()
        context.load_cert_chain(made.name, password=once)


def on_the_host(url: str, address: str) -> str | None:
    """Path and query of an address on the target's own host; None for any other: credentials are shown to nobody else,
    and no answer leads us to a machine that the configuration does not name.
    """
    try:
        own, other = urlsplit(url), urlsplit(address)
        same = [(part.scheme, part.hostname, part.port or _PORTS.get(part.scheme)) for part in (own, other)]
    except ValueError:
        return None
    if same[0] != same[1] or other.username is not None:
        return None
    return (other.path or "/") + (f"?{other.query}" if other.query else "")


def _with_query(url: str, query: Mapping[str, str]) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query, safe='*')}"


# --- What a failure means -------------------------------------------------------------------------------------------


def status_error(answer: Answer, now: datetime) -> DeliveryError | None:
    """What a status means where the body says nothing better; None for success (2xx that is no HTML page)."""
    status, detail = answer.status, answer.text()
    code = f"http.{status}"
    if 200 <= status < 300:
        return Permanent("http.html", failure="contract", detail=detail) if answer.is_html else None
    if status in (408, 425, 429, 503):
        wait = retry_after(answer.headers.get("retry-after"), now)
        throttled = status == 429 or wait is not None
        return Retryable(code, failure="throttled" if throttled else "unavailable", detail=detail, retry_after=wait)
    if status in (401, 403, 407):
        return Permanent(code, failure="auth", detail=detail)
    if status in (400, 409, 413, 422):
        return Permanent(code, detail=detail)
    if 300 <= status < 500:
        return Permanent(code, failure="contract", detail=detail)  # a redirect, a wrong path, method or media type
    return OutcomeUnknown(code, detail=detail)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds of a `Retry-After` header (RFC 9110 §10.2.3: seconds or a date), between 0 and a day; None when there
    is no usable one.
    """
    if not value:
        return None
    if re.fullmatch(r"\s*[0-9]+\s*", value):  # not isdigit: "²" is a digit, and no number
        seconds = float(value.strip()[:9])
    else:
        try:
            seconds = (email.utils.parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):  # TypeError: a date without zone
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP)


def wire_error(error: Exception, wire: deadline.Exchange) -> DeliveryError:
    """What an exception of an exchange means. The question is only: can the target have acted?"""
    if isinstance(error, DeliveryError):
        return error
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL):
        return Permanent("http.request_invalid", failure="contract", detail=str(error))
    if isinstance(error, httpx.ProxyError):
        # The tunnel was not made, so the target saw nothing.
        refused = "407" in str(error)
        return Permanent("proxy.auth", failure="auth") if refused else Retryable("proxy.failed", detail=str(error))
    if (tls := _tls_error(error, wire)) is not None:
        return tls
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout) or wire.sent == 0:
        return Retryable(_connect_code(error), detail=str(error))
    return OutcomeUnknown(_UNKNOWN.get(type(error), "http.broken_off"), detail=str(error))


_UNKNOWN: Mapping[type[Exception], str] = {
    httpx.ReadTimeout: "http.read_timeout",
    httpx.WriteTimeout: "http.write_timeout",
    httpx.RemoteProtocolError: "http.closed",
    httpx.ReadError: "tcp.reset",
    httpx.WriteError: "tcp.reset",
    httpx.DecodingError: "http.answer_unreadable",
}


def _tls_error(error: Exception, wire: deadline.Exchange) -> DeliveryError | None:
    """Certificates. With TLS 1.3 a server refuses ours only after our first write, as a read error; nothing was read
    then.

    An end of file without an alert stays undecided (retryable while connecting, else unknown): the server may have
    acted.
    """
    cause = _cause(error, ssl.SSLError)
    if cause is None or wire.read > 0:
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Permanent("tls.server_certificate", failure="auth", detail=str(cause))
    if _REFUSED_BY_TLS.search(str(cause.reason or "")):
        return Permanent("tls.client_certificate", failure="auth", detail=str(cause))
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError) or wire.sent > 0:
        return None
    return Permanent("tls.handshake", failure="contract", detail=str(cause))


def _connect_code(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "tcp.connect_timeout"
    if _cause(error, socket.gaierror) is not None:
        return "dns.failed"
    if _cause(error, ConnectionRefusedError) is not None:
        return "tcp.refused"
    return "tls.broken_off" if _cause(error, ssl.SSLError) is not None else "tcp.unreachable"


Cause = TypeVar("Cause", bound=BaseException)


def _cause(error: BaseException | None, kind: type[Cause]) -> Cause | None:
    """The first exception of `kind` in the chain of causes."""
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None
