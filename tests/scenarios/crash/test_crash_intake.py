"""What can break while a submission comes in: half a body, a lost answer, an attachment without its submission."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from city import Shape, until
from crash_world import World, wait_all, world
from sqlalchemy import create_engine, text
from tcp_proxy import TcpProxy

from gateway.portal import File
from gateway.store import KeyRing, Store
from gateway.store.database import database_url
from gateway.store.keeping import ORPHAN_AGE


@pytest.fixture(scope="module")
def intake(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("intake"), shape) as opened:
        yield opened


def children(pid: int) -> list[int]:
    """Of every thread of a process."""
    lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for line in lists for child in line.split()]


def count(opened: World, table: str) -> int:
    engine = create_engine(database_url(opened.installation.settings.effective_database_url))
    try:
        with engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
    finally:
        engine.dispose()


def test_of_half_a_body_nothing_is_left_when_the_process_dies(intake: World) -> None:
    before = {table: count(intake, table) for table in ("submission", "content_key", "content_chunk")}
    address = urlsplit(intake.installation.url)
    head = (
        "POST /v1/submissions HTTP/1.1\r\nHost: gateway\r\nContent-Length: 50000\r\nIdempotency-Key: half\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nAuthorization: Bearer {intake.installation.token()}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"--x\r\nContent-Disposition: form-data; name=data\r\n\r\n" + b"<" * 20_000)
        time.sleep(0.3)  # so that it has been read
        (role,) = intake.roles
        intake.installation.kill(role)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    intake.start(role)
    assert {table: count(intake, table) for table in before} == before
    intake.check()


def test_after_a_lost_answer_the_portal_is_told_the_same_id_again(intake: World) -> None:
    with TcpProxy.before(intake.installation.url) as between:
        between.cut_once("in", after=1, forward=False)
        (sent,) = wait_all([intake.send(url=between.url(intake.installation.url))])
    assert between.struck.is_set()
    assert len(set(sent.told)) == 1
    intake.drain()
    intake.check()


def test_an_orphan_of_an_attachment_is_swept_after_an_hour(intake: World) -> None:
    # Given a process that dies when an attachment is written, and its submission is not
    large = File("scan.pdf", b"%PDF-1.7\n" + b"0" * 3_000_000 + b"\n%%EOF", "application/pdf")
    sample = replace(intake.samples[0], attachments=(large,))
    intake.arm("intake.spilled")
    broken = intake.once(sample)
    role = intake.wait_for_death()
    assert broken is None
    intake.start(role)
    assert count(intake, "content_key") > count(intake, "submission")

    # When its time is over
    later = datetime.now(UTC) + ORPHAN_AGE + timedelta(minutes=1)
    keys = KeyRing.load(intake.installation.home / "keys", create=False)
    store = Store.open(intake.installation.settings.effective_database_url, keys=keys, clock=lambda: later)
    try:
        assert store.sweep_orphans().result(30) == 1
    finally:
        store.close()

    # Then nothing of it is left, and nothing else is touched
    assert count(intake, "content_key") == count(intake, "submission")
    intake.check()


def test_when_the_checker_dies_only_its_message_is_concerned(intake: World) -> None:
    # Given a message so large that a process of its own checks it
    sample = next(s for s in intake.samples if s.data.media_type == "application/xml")
    end = sample.data.content.rindex(b"</")
    padded = sample.data.content[:end] + b" " * 1_200_000 + sample.data.content[end:]
    large = replace(sample, data=replace(sample.data, content=padded))
    (role,) = intake.roles

    # When that process is killed while others are sent
    killed = 0

    def kill_checker() -> bool:
        nonlocal killed
        for child in children(intake.installation.pid(role)):
            if b"xoev_schemas.worker_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
                killed += 1
        return killed > 0

    sending = [intake.send(large), *(intake.send() for _ in range(3))]
    until(kill_checker, "a checking process")
    sent = wait_all(sending)

    # Then all of them arrive: the large one is checked by the next process, or waits for a person with its finding
    intake.drain()
    assert intake.installation.alive(role)
    assert all(one.told for one in sent)
    intake.check()
