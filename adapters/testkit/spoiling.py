"""Answers spoilt: what a department that acted sends instead of its reply."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from http import HTTPStatus

from adapters.testkit.behaviour import Behaviour, Kind
from adapters.testkit.http_server import HttpReply, Wire

ANSWER_BYTES = 192 * 1024 * 1024
"""Of an answer that no machine should hold whole."""

LOGIN, ENTITY, STATUS = "/login", "/entity", "/in-progress/"
"""Where a department notes who came: its login page, what an entity names, a case that never ends."""

_BLOCK = b" " * (256 * 1024)

PAGE = HttpReply(
    200,
    "text/html; charset=utf-8",
    b"<!DOCTYPE html><html><head><title>Anmeldung</title></head><body><p>Bitte melden Sie sich an.</p></body></html>",
)


def spoilt(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply | Wire:
    """The reply as the behaviour makes it; as it is where the behaviour is about something else."""
    return _HOW[behaviour.kind](behaviour, reply, key, url) if behaviour.kind in _HOW else reply


def _head(reply: HttpReply, **changed: str | None) -> bytes:
    """Status line and header; changed: fields by name with `_` for `-`, None: without it."""
    fields: dict[str, str | None] = {"Content-Type": reply.media_type, "Content-Length": str(len(reply.body))}
    fields |= {**reply.headers, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _slowly(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    return Wire([behaviour.seconds, _head(reply), reply.body])


def _slow_middle(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    half = len(reply.body) // 2
    return Wire([_head(reply), reply.body[:half], behaviour.seconds, reply.body[half:]])


def _trickle(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    def pieces() -> Iterator[bytes | float]:
        for byte in _head(reply) + reply.body:
            yield bytes([byte])
            yield behaviour.seconds

    return Wire(pieces())


def _broken(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _cut(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    return Wire([_head(reply, Content_Length=str(len(reply.body) + 100)), reply.body])


def _cut_chunk(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    chunk = f"{len(reply.body) + 100:x}\r\n".encode() + reply.body
    return Wire([_head(reply, Content_Length=None, Transfer_Encoding="chunked"), chunk])


def _commit_then_hang_up(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    return Wire()


def _reset(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    return Wire(reset=True)


def _labelled(reply: HttpReply, charset: str) -> str:
    """The media type with this charset; of a package of several parts as it was."""
    if reply.media_type.startswith("multipart/"):
        return reply.media_type
    return f"{reply.media_type.partition(';')[0]}; charset={charset}"


def _wrong_charset(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply:
    body = reply.body.decode("utf-8").encode("iso-8859-1")
    return HttpReply(reply.status, _labelled(reply, "utf-8"), body, reply.headers)


def _wrong_label(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply:
    return replace(reply, media_type=_labelled(reply, "iso-8859-1"))


def _empty(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply:
    return HttpReply(200, reply.media_type, b"")


def _huge(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> Wire:
    def pieces() -> Iterator[bytes | float]:
        yield _head(reply, Content_Length=None)
        for _ in range(ANSWER_BYTES // len(_BLOCK)):
            yield _BLOCK

    return Wire(pieces())


def _gzip_bomb(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply:
    return replace(reply, body=_bomb(), headers={**reply.headers, "Content-Encoding": "gzip"})


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)  # 31: as gzip
    return b"".join(packer.compress(_BLOCK) for _ in range(ANSWER_BYTES // len(_BLOCK))) + packer.flush()


def _doctype(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply:
    """Ten entities of ten: 10 GB if somebody unfolds them."""
    grown = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    declared = f'<!ENTITY e0 "Zwetschgen">{grown}<!ENTITY far SYSTEM "{url}{ENTITY}">'
    root, media_type = b"<answer></answer>", "application/xml"
    if "xml" in reply.media_type and not reply.media_type.startswith("multipart/"):
        root, media_type = re.sub(rb"^<\?xml.*?\?>\s*", b"", reply.body, count=1), reply.media_type
    document = f"<!DOCTYPE answer [{declared}]>".encode() + _with_entities(root)
    return replace(reply, media_type=media_type, body=document)


def _with_entities(root: bytes) -> bytes:
    """Both in the first place that holds text (or nothing)."""
    return re.sub(rb">([^<>]*)</", rb">&e9;&far;\1</", root, count=1)


def _never_finishes(behaviour: Behaviour, reply: HttpReply, key: str, url: str) -> HttpReply:
    return working(key)


def working(key: str) -> HttpReply:
    """202, and where to ask."""
    body = b'{"status": "IN_ARBEIT"}'
    return HttpReply(202, "application/json", body, {"Location": f"{STATUS}{key}", "Retry-After": "1"})


_HOW: Mapping[Kind, Callable[[Behaviour, HttpReply, str, str], HttpReply | Wire]] = {
    "slow": _slowly,
    "slow_middle": _slow_middle,
    "trickle": _trickle,
    "broken": _broken,
    "cut": _cut,
    "cut_chunk": _cut_chunk,
    "commit_then_hang_up": _commit_then_hang_up,
    "reset": _reset,
    "wrong_charset": _wrong_charset,
    "wrong_label": _wrong_label,
    "empty": _empty,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
    "doctype": _doctype,
    "never_finishes": _never_finishes,
}
