"""What the benchmarks send: a valid dog tax registration of about 10 KiB, and the HTTP request that carries it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from gateway.demo.stage import CLIENT
from gateway.portal import File, metadata_for
from gateway.services import shipped_folder

SERVICE, TARGET = "hundesteuer-anmeldung", "hundesteuer"
SCHEMA = "fim:S99000000001V1.0.0"
BOUNDARY = "benchmark-7f3a"
DOGS = 7
"""With every field filled they make 10 KiB."""


def message() -> bytes:
    """The shipped sample with its dog, which has every field, repeated; without what refers to attachments."""
    sample = shipped_folder() / "services" / SERVICE / "samples" / "everything-filled-xml" / "data.xml"
    data = sample.read_bytes()
    start, end = data.index(b"  <G99000000002V1.0.0>"), data.index(b"</G99000000002V1.0.0>\n") + 22
    data = data[:start] + data[start:end] * DOGS + data[end:]
    start, end = data.index(b"    <F60000000296V1.1.0>"), data.index(b"</F60000000296V1.1.0>\n") + 22
    return data[:start] + data[end:]


def multipart(data: bytes) -> bytes:
    """The body of `POST /v1/submissions`."""
    metadata = json.dumps(metadata_for(File("data.xml", data, "application/xml"), SCHEMA, {})).encode()
    parts = [(b"metadata", b"application/json", metadata), (b"data", b"application/xml", data)]
    lines = [
        b'--%s\r\nContent-Disposition: form-data; name="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n'
        % (BOUNDARY.encode(), name, media_type, content)
        for name, media_type, content in parts
    ]
    return b"".join(lines) + b"--%s--\r\n" % BOUNDARY.encode()


def request_head(token: str, length: int) -> bytes:
    """Everything before the Idempotency-Key's value. The sender adds the value, two line ends and the body."""
    return (
        "POST /v1/submissions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {length}\r\nIdempotency-Key: "
    ).encode()


def one_target_packages(folder: Path) -> Path:
    """The shipped dog tax package with one target instead of three, so that one submission is one HTTP call."""
    for kind, name in (("services", SERVICE), ("targets", TARGET)):
        shutil.copytree(shipped_folder() / kind / name, folder / kind / name)
    shutil.copytree(shipped_folder() / "clients", folder / "clients")
    for client in (folder / "clients").glob("*.yaml"):
        if client.stem != CLIENT:
            client.unlink()
    service = folder / "services" / SERVICE / "service.yaml"
    lines = service.read_text(encoding="utf-8").splitlines()
    changed = [f"targets: [{TARGET}]" if line.startswith("targets:") else line for line in lines]
    service.write_text("\n".join(changed) + "\n", encoding="utf-8")
    return folder
