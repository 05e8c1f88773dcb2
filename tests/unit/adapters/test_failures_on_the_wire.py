"""Every way an exchange can fail, on real sockets: what httpx makes of it, and what the adapters must decide."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from adapters.base import DeliveryError, OutcomeUnknown, Permanent, Request, Retryable, TargetConfig
from adapters.http import Answer, HttpConnection, HttpSettings, TlsSettings, retry_after, status_error
from adapters.rest import RestAdapter

Serve = Callable[[socket.socket], None]
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@contextmanager
def server(serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """One connection at a time, each handed to `serve`; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ended = threading.Event()

    def loop() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            with connection:
                try:
                    if context is not None:
                        connection = context.wrap_socket(connection, server_side=True)
                    serve(connection)
                except OSError:
                    pass
                finally:
                    connection.close()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        thread.join(10)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


def answering(answer: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return serve


def response(status: int, body: bytes = b"", media_type: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def reset(connection: socket.socket) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)  # until the client gives up


def trickle(connection: socket.socket) -> None:
    read_request(connection)
    for byte in b"HTTP/1.1 201 Created\r\nX: " + b"a" * 200:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)  # the target's, not the test's: each read of the client succeeds, the whole takes 10 s


def deliver(port: int, timeout: float = 1.0, scheme: str = "http", **settings: Any) -> DeliveryError:
    config = TargetConfig("t", ".", {"url": f"{scheme}://127.0.0.1:{port}/x", **settings}, timeout=timeout)
    adapter = RestAdapter(config)
    with pytest.raises(DeliveryError) as caught:
        adapter.deliver(Request("k", "s", {"a": 1}, "service", "2026-01-01T00:00:00Z"))
    adapter.close()
    return caught.value


@pytest.mark.parametrize(
    ("serve", "kind", "code"),
    [
        pytest.param(silent, OutcomeUnknown, "http.read_timeout", id="time-out while reading"),
        pytest.param(trickle, OutcomeUnknown, "http.read_timeout", id="a trickle that no single read would notice"),
        pytest.param(read_request, OutcomeUnknown, "http.closed", id="closed without answer"),
        pytest.param(reset, OutcomeUnknown, "tcp.reset", id="reset"),
        pytest.param(answering(response(201, b"{}" * 9)[:-5]), OutcomeUnknown, "http.closed", id="body cut off"),
        pytest.param(answering(b"hello\r\n\r\n"), OutcomeUnknown, "http.closed", id="not HTTP"),
    ],
)
def test_what_may_have_been_processed_is_unknown(serve: Serve, kind: type[DeliveryError], code: str) -> None:
    with server(serve) as port:
        started = time.monotonic()
        error = deliver(port)
        took = time.monotonic() - started
    assert (type(error), error.code) == (kind, code)
    assert took < 4


def test_one_step_may_be_given_less_time_than_the_whole() -> None:
    with server(silent) as port:
        started = time.monotonic()
        error = deliver(port, timeout=20.0, read_timeout="1s")
        took = time.monotonic() - started
    assert (type(error), error.code) == (OutcomeUnknown, "http.read_timeout")
    assert took < 4


def test_a_refused_connection_and_an_unknown_host_are_retryable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = deliver(port)
    assert (type(refused), refused.code, refused.failure) == (Retryable, "tcp.refused", "unavailable")
    connection = HttpConnection(HttpSettings(url="http://department.invalid/"), Path(), 5.0)
    with pytest.raises(Retryable) as caught:
        connection.send("POST", "http://department.invalid/", content=b"{}")
    assert caught.value.code == "dns.failed"


def test_a_connect_time_out_is_retryable() -> None:
    # A full backlog does not answer further connections.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        error = deliver(port, timeout=0.5)
        for one in held:
            one.close()
    assert (type(error), error.code) == (Retryable, "tcp.connect_timeout")


STATUSES: list[tuple[int, type[DeliveryError], str]] = [
    *[(status, Retryable, "unavailable") for status in (408, 425, 503)],
    (429, Retryable, "throttled"),
    *[(status, OutcomeUnknown, "unknown_outcome") for status in (500, 501, 502, 504, 507)],
    *[(status, Permanent, "auth") for status in (401, 403, 407)],
    *[(status, Permanent, "contract") for status in (301, 302, 307, 404, 405, 410, 415)],
    *[(status, Permanent, "rejected_by_target") for status in (400, 409, 413, 422)],
]


@pytest.mark.parametrize(("status", "kind", "failure"), STATUSES)
def test_every_status_has_its_decision(status: int, kind: type[DeliveryError], failure: str) -> None:
    with server(answering(response(status, more="Location: http://127.0.0.1:1/\r\n"))) as port:
        error = deliver(port)
    assert (type(error), error.failure, error.code) == (kind, failure, f"http.{status}")


def test_a_page_for_people_with_a_good_status_is_a_wrong_configuration() -> None:
    with server(answering(response(200, b"<html><body>Anmelden", "text/html"))) as port:
        error = deliver(port)
    assert (type(error), error.code) == (Permanent, "http.html")


def test_an_answer_without_end_is_cut_and_unknown() -> None:
    with server(answering(response(201, b'"' + b"x" * 5000 + b'"'))) as port:
        error = deliver(port, max_answer_bytes=1000)
    assert (type(error), error.code) == (OutcomeUnknown, "http.answer_too_large")


def packed(body: bytes, encoding: str, cut: int = 0) -> bytes:
    data = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    return response(201, data[: len(data) - cut], more=f"Content-Encoding: {encoding}\r\n")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_answer_that_is_compressed_unasked_is_read(encoding: str) -> None:
    with server(answering(packed(b'{"nr": "7"}', encoding))) as port:
        config = TargetConfig("t", ".", {"url": f"http://127.0.0.1:{port}"}, references={"nr": "$.nr"})
        receipt = RestAdapter(config).deliver(Request("k", "s", {"a": 1}, "x", "2026-01-01T00:00:00Z"))
    assert dict(receipt.references) == {"nr": "7"}


def test_a_compressed_answer_is_held_to_the_bound_while_it_is_unpacked() -> None:
    bomb = packed(b" " * 64 * 1024 * 1024, "gzip")
    tracemalloc.start()
    try:
        with server(answering(bomb)) as port:
            error = deliver(port, timeout=10.0, max_answer_bytes=1024 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (type(error), error.code) == (OutcomeUnknown, "http.answer_too_large")
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(packed(b'{"nr": "7"}', "gzip", cut=6), "http.answer_unreadable", id="cut"),
        pytest.param(
            response(201, b'{"nr": "7"}', more="Content-Encoding: gzip\r\n"), "http.answer_unreadable", id="not gzip"
        ),
        pytest.param(
            response(201, gzip.compress(gzip.compress(b"{}")), more="Content-Encoding: gzip, gzip\r\n"),
            "rest.answer_unreadable",
            id="two layers",
        ),
    ],
)
def test_what_cannot_be_unpacked_is_unknown(answer: bytes, code: str) -> None:
    with server(answering(answer)) as port:
        error = deliver(port)
    assert (type(error), error.code) == (OutcomeUnknown, code)


def test_a_table_of_faults_comes_before_the_general_rules() -> None:
    problem = response(400, b'{"type": "urn:busy", "title": "x"}', "application/problem+json")
    with server(answering(problem)) as port:
        error = deliver(port, faults=[{"match": "^400 urn:busy", "outcome": "retryable", "code": "department.busy"}])
    assert (type(error), error.code) == (Retryable, "department.busy")


def test_a_duplicate_can_be_declared_a_success() -> None:
    answer = response(409, b'{"type": "urn:duplicate", "nr": "7"}', "application/problem+json")
    settings = {"faults": [{"match": "urn:duplicate", "outcome": "already_there"}]}
    with server(answering(answer)) as port:
        config = TargetConfig("t", ".", {"url": f"http://127.0.0.1:{port}", **settings}, references={"nr": "$.nr"})
        receipt = RestAdapter(config).deliver(Request("k", "s", {"a": 1}, "x", "2026-01-01T00:00:00Z"))
    assert (receipt.already_there, dict(receipt.references)) == (True, {"nr": "7"})


def test_retry_after_reads_seconds_and_dates_and_is_capped() -> None:
    assert retry_after("7", NOW) == 7.0
    assert retry_after("Fri, 02 Jan 2026 03:05:05 GMT", NOW) == 60.0
    assert retry_after("Fri, 02 Jan 2026 03:00:00 GMT", NOW) == 0.0
    assert retry_after("99999999", NOW) == 86400.0
    assert retry_after("9" * 30, NOW) == 86400.0
    assert retry_after("Fri, 31 Dec 9999 23:59:59 GMT", NOW) == 86400.0
    assert retry_after("soon", NOW) is None
    assert retry_after("-5", NOW) is None
    assert retry_after("²", NOW) is None
    assert retry_after("Fri, 31 Dec 99999999999 23:59:59 GMT", NOW) is None
    assert retry_after(None, NOW) is None


def test_what_the_target_wrote_is_in_the_detail_and_nowhere_else() -> None:
    error = status_error(Answer(422, {}, b"Erika Mustermann, geb. 1.1.1990"), NOW)
    assert error is not None
    assert "Mustermann" in error.detail
    assert "Mustermann" not in f"{error} {error!r}"


# --- TLS --------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, private


def server_context(folder: Path, version: ssl.TLSVersion, *, client: bool) -> ssl.SSLContext:
    cert, key = certificate(folder, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.maximum_version = version
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate(folder, "client")[0])
    return context


def test_a_server_certificate_that_nobody_vouches_for_is_a_wrong_configuration(tmp_path: Path) -> None:
    context = server_context(tmp_path, ssl.TLSVersion.TLSv1_3, client=False)
    with server(answering(response(201)), context) as port:
        error = deliver(port, scheme="https")
    assert (type(error), error.code, error.failure) == (Permanent, "tls.server_certificate", "auth")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_missing_client_certificate_is_a_wrong_configuration(tmp_path: Path, version: ssl.TLSVersion) -> None:
    context = server_context(tmp_path, version, client=True)
    with server(answering(response(201)), context) as port:
        error = deliver(port, scheme="https", tls={"ca_bundle": str(tmp_path / "server.pem")})
    assert (type(error), error.code, error.failure) == (Permanent, "tls.client_certificate", "auth")


def test_with_the_right_certificates_it_delivers(tmp_path: Path) -> None:
    context = server_context(tmp_path, ssl.TLSVersion.TLSv1_3, client=True)
    tls = {"ca_bundle": "server.pem", "client_certificate": "client.pem", "client_key": "client.key"}
    with server(answering(response(201, b'{"nr": "1"}')), context) as port:
        settings = {"url": f"https://127.0.0.1:{port}", "tls": tls}
        adapter = RestAdapter(TargetConfig("t", str(tmp_path), settings, references={"nr": "$.nr"}, timeout=5.0))
        receipt = adapter.deliver(Request("k", "s", {"a": 1}, "x", "2026-01-01T00:00:00Z"))
    assert dict(receipt.references) == {"nr": "1"}
    assert TlsSettings(**tls).client_key == "client.key"


@pytest.mark.parametrize("password", ["geheim", None], ids=["with a password", "without one"])
def test_a_client_certificate_may_be_one_pkcs12_file(tmp_path: Path, password: str | None) -> None:
    context = server_context(tmp_path, ssl.TLSVersion.TLSv1_3, client=True)
    key = serialization.load_pem_private_key((tmp_path / "client.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    own = x509.load_pem_x509_certificate((tmp_path / "client.pem").read_bytes())
    how: Any = serialization.NoEncryption()
    if password is not None:
        how = serialization.BestAvailableEncryption(password.encode())
    (tmp_path / "client.p12").write_bytes(pkcs12.serialize_key_and_certificates(b"amt", key, own, None, how))
    tls = {"ca_bundle": "server.pem", "client_certificate": "client.p12", "client_key_password": password}
    with server(answering(response(201)), context) as port:
        settings = {"url": f"https://127.0.0.1:{port}", "tls": tls}
        adapter = RestAdapter(TargetConfig("t", str(tmp_path), settings, timeout=5.0))
        adapter.deliver(Request("k", "s", {"a": 1}, "x", "2026-01-01T00:00:00Z"))
        adapter.close()


def test_a_pkcs12_file_that_cannot_be_opened_is_a_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "client.p12").write_bytes(b"no such thing")
    settings = {"url": "https://127.0.0.1:9", "tls": {"client_certificate": "client.p12"}}
    adapter = RestAdapter(TargetConfig("t", str(tmp_path), settings, timeout=5.0))
    with pytest.raises(Permanent) as caught:
        adapter.ping()
    assert (caught.value.failure, caught.value.code) == ("contract", "config.invalid")


# --- Credentials ------------------------------------------------------------------------------------------------------


def oauth(port: int) -> dict[str, Any]:
    return {
        "type": "oauth",
        "token_url": f"http://127.0.0.1:{port}/token",
        "client_id": "gateway",
        "client_secret": "secret",
    }


def test_a_token_is_fetched_once_kept_and_renewed_once_when_refused() -> None:
    seen: list[str] = []

    def serve(connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head = data.decode()
        if head.startswith("POST /token"):
            seen.append("token")
            number = seen.count("token")
            connection.sendall(response(200, f'{{"access_token": "t{number}", "expires_in": 3600}}'.encode()))
            return
        seen.append("t2" if "Bearer t2" in head else "t1")
        connection.sendall(response(201 if seen.count("t1") != 2 or seen[-1] == "t2" else 401, b"{}"))

    with server(serve) as port:
        adapter = RestAdapter(TargetConfig("t", ".", {"url": f"http://127.0.0.1:{port}", "auth": oauth(port)}))
        for key in ("k1", "k2", "k3"):
            adapter.deliver(Request(key, "s", {"a": 1}, "x", "2026-01-01T00:00:00Z"))
        adapter.close()
    assert seen == ["token", "t1", "t1", "token", "t2", "t2"]


@pytest.mark.parametrize(
    ("status", "kind", "failure"), [(400, Permanent, "auth"), (401, Permanent, "auth"), (503, Retryable, "unavailable")]
)
def test_a_token_that_cannot_be_had_is_no_unknown_outcome(status: int, kind: type[DeliveryError], failure: str) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(response(status))

    with server(serve) as port:
        error = deliver(port, auth=oauth(port))
    assert (type(error), error.failure, error.code) == (kind, failure, f"oauth.http.{status}")
