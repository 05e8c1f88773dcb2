"""What the tests let a worker process do. Imported there by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from xoev_schemas.xsd import NotCompiled, XsdSource, compile_xsd


def echo(data: bytes) -> bytes:
    return data


def pid() -> bytes:
    return str(os.getpid()).encode()


def variables() -> bytes:
    return " ".join(os.environ).encode()


def loop() -> bytes:
    numbers: Iterator[int] = count()
    return bytes(next(number for number in numbers if number < 0))


def take(mebibytes: bytes) -> bytes:
    """Memory that is really used, given back before the answer."""
    return str(len(b"x" * (int(mebibytes) << 20))).encode()


_kept: list[bytes] = []


def keep(mebibytes: bytes) -> bytes:
    _kept.append(b"x" * (int(mebibytes) << 20))
    return b""


def die() -> bytes:
    os.abort()


def fail(secret: bytes) -> bytes:
    raise ValueError(secret.decode())


def compile_schema(folder: bytes, entry: bytes) -> bytes:
    """`compiled`, or `refused` with the reason; of all schemas in a folder one is the entry."""
    files = {file.name: file.read_bytes() for file in Path(folder.decode()).glob("*.xsd")}
    try:
        compile_xsd(XsdSource(f"{folder!r} {entry!r}", entry.decode(), files))
    except NotCompiled:
        return b"refused"
    return b"compiled"
