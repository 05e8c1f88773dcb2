"""The bare loop: what the gateway does for one dog tax registration, written down straight, with nothing around it.

    python -m tests.benchmarks.bare CONFIG.json ROLE…

Roles: `accept` (HTTP, token, hashes, encryption, parse, XSD, rows, commit, answer), `move` (outbox → queue, with
confirms), `work` (queue → rows, content back, parse, the
whole request, its types, SOAP POST, types, rows). One process may have all of them (embedded: the
queue is in memory) or one each (production). It writes the same rows into the same tables of the same database, as
durably, with group commit; two commits per delivery, because an attempt has to be on disk before the call.

It cannot do anything else: no other service, no other outcome, no repeat, no limit, no log.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import queue
import signal
import sqlite3
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pika
import psycopg
import uvicorn
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwt
from joserfc.jwk import ECKey
from lxml import etree

from tests.benchmarks.message import BOUNDARY, SCHEMA, SERVICE, TARGET
from tests.benchmarks.straight import request_of, request_schema
from xoev_schemas.xsd import without_anchors

CONFIG: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
POSTGRES = CONFIG["database_url"].startswith("postgresql:")
BATCH, WORKERS, WINDOW = 128, CONFIG["parallel"], 500
EXCHANGE, QUEUE = "bare.deliver", "bare.target"


def inserting(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


STATEMENTS = {
    "submission": inserting(
        "submission",
        "submission_id, case_id, channel, client, inbox_key, digest, service, service_identifier, department, kind, "
        "state, standard, message, valid, decision, test, schema_uri, media_type, metadata_version, traceparent, "
        "received_at, created_at, event_number, event_hash",
    ),
    "key": inserting("content_key", "submission_id, key_version, wrapped_key, claimed, created_at"),
    "part": inserting("content_part", "submission_id, number, name, media_type, size, sha512, chunks"),
    "chunk": inserting("content_chunk", "submission_id, part, sequence, data"),
    "delivery": inserting(
        "delivery",
        "delivery_id, submission_id, target, service, department, state, fence, claims, attempts, attempts_total, "
        "possible_repeat, created_at, first_due, due_at",
    ),
    "outbox": inserting("outbox", "delivery_id, submission_id, target, service, attempt, due_at, publish_at"),
    "event": inserting(
        "event", "submission_id, number, at, kind, delivery_id, old, new, actor, details, previous, hash"
    ),
    "sent": "DELETE FROM outbox WHERE outbox_id = ?",
    "claim": "UPDATE delivery SET state = 'delivering', fence = 1, claims = 0, attempts = 1, attempts_total = 1, "
    "claimed_by = 'bare', claimed_until = ? WHERE delivery_id = ? AND state = 'queued' AND fence = 0",
    "attempt": inserting(
        "attempt",
        "delivery_id, number, worker, package_version, case_digest, request_digest, possible_repeat, started_at",
    ),
    "ended": "UPDATE attempt SET ended_at = ?, outcome = 'delivered' WHERE delivery_id = ? AND number = 1",
    "delivered": "UPDATE delivery SET state = 'delivered', ended_at = ?, claimed_until = NULL, due_at = NULL "
    "WHERE delivery_id = ? AND state = 'delivering' AND fence = 1",
    "reference": inserting("reference", "delivery_id, name, value, submission_id, noted_at"),
    "head": "UPDATE submission SET event_number = ?, event_hash = ? WHERE submission_id = ? AND event_number = ?",
    "completed": "UPDATE submission SET state = 'completed', ended_at = ?, event_number = ?, event_hash = ? "
    "WHERE submission_id = ? AND event_number = ?",
}
"""In the order in which one commit runs them: what is referred to comes first."""
Rows = dict[str, list[Sequence[Any]]]


def connect() -> Any:
    if POSTGRES:
        return psycopg.connect(CONFIG["database_url"])
    connection = sqlite3.connect(CONFIG["database_url"].removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("PRAGMA wal_autocheckpoint=8192")
    return connection


def dialect(sql: str) -> str:
    return sql.replace("?", "%s") if POSTGRES else sql


jobs: queue.SimpleQueue[tuple[Rows, Callable[[], None]]] = queue.SimpleQueue()


def write_for_ever() -> None:
    """Group commit: whatever waits goes into one transaction."""
    cursor = connect().cursor()
    sql = {name: dialect(text) for name, text in STATEMENTS.items()}
    while True:
        batch = [jobs.get()]
        while len(batch) < BATCH and not jobs.empty():
            batch.append(jobs.get())
        cursor.execute("BEGIN" if POSTGRES else "BEGIN IMMEDIATE")
        for name, text in sql.items():
            if rows := [row for job, _ in batch for row in job.get(name, ())]:
                cursor.executemany(text, rows)
        cursor.execute("COMMIT")
        for _, committed in batch:
            committed()


def event(head: tuple[int, str], submission: str, at: str, kind: str, delivery: str | None, **facts: Any) -> list[Any]:
    """The next row of a submission's chain: number and hash of the last one are `head`."""
    details = json.dumps(facts.get("details", {}), sort_keys=True, separators=(",", ":"))
    old, new, actor = facts.get("old"), facts.get("new"), facts.get("actor", "gateway")
    row = [submission, head[0] + 1, at, kind, delivery, old, new, actor, details, head[1]]
    covered = json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return [*row, hashlib.sha256(covered.encode()).hexdigest()]


def head(row: list[Any]) -> tuple[int, str]:
    return row[1], row[-1]


PARSER = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
WRAPPING = AESGCM(bytes.fromhex((Path(CONFIG["home"]) / "keys" / "content-1.key").read_text().strip()))


def parsed(data: bytes) -> etree._Element:
    root = etree.fromstring(data, PARSER)
    docinfo: Any = root.getroottree().docinfo
    assert not docinfo.doctype
    return root


# ---------------------------------------------------------------------------------------------------------- accept

SIGNING = ECKey.import_key((Path(CONFIG["home"]) / "keys" / "token-issuer.pem").read_bytes())
XSD = etree.XMLSchema(etree.fromstring(without_anchors(Path(CONFIG["xsd"]).read_bytes())))
verified: dict[bytes, tuple[str, float]] = {}


def client_of(authorization: bytes) -> str:
    """The client of a bearer token, verified once and remembered until it expires."""
    known = verified.get(authorization)
    if known is None:
        claims = jwt.decode(authorization[7:].decode(), SIGNING, algorithms=["ES256"]).claims
        assert claims["aud"] == "ozg-gateway"
        known = verified[authorization] = (claims["client_id"], claims["exp"])
    assert known[1] > datetime.now(UTC).timestamp()
    return known[0]


def parts_of(body: bytes) -> dict[bytes, bytes]:
    parts = {}
    for piece in body.split(b"--" + BOUNDARY.encode())[1:-1]:
        header, _, content = piece.partition(b"\r\n\r\n")
        name = header.partition(b'name="')[2].partition(b'"')[0]
        parts[name] = content[:-2]
    return parts


def sealed(key: AESGCM, submission: str, number: int, name: str, media_type: str, data: bytes) -> tuple[Any, Any]:
    """Row of a part, and of its one encrypted chunk."""
    nonce = os.urandom(12)
    stored = nonce + key.encrypt(nonce, data, f"{submission}\x00{name}\x000\x00final".encode())
    sha512 = hashlib.sha512(data).hexdigest()
    return (submission, number, name, media_type, len(data), sha512, 1), (submission, number, 0, stored)


def accepted_rows(client: str, inbox_key: str, metadata: bytes, data: bytes) -> tuple[Rows, dict[str, str]]:
    value = json.loads(metadata)
    structure = value["contentStructure"]["data"]
    assert structure["submissionSchema"]["schemaUri"] == SCHEMA
    submission, case, delivery = (str(uuid.uuid4()) for _ in range(3))
    data_key, now, nonce = os.urandom(32), datetime.now(UTC).isoformat(timespec="microseconds"), os.urandom(12)
    key = AESGCM(data_key)
    record = json.dumps({"metadata": value, "findings": [], "attachments": []}).encode()
    parts = [
        sealed(key, submission, 1, "metadata", "application/json", metadata),
        sealed(key, submission, 2, "data", "application/xml", data),
        sealed(key, submission, 3, "record", "application/json", record),
    ]
    assert parts[1][0][5] == structure["hash"]["content"]
    root = parsed(data)
    assert XSD.validate(root)
    digest = hashlib.sha512("\n".join((SERVICE, "new", "", parts[1][0][5])).encode()).hexdigest()
    first = event((0, "0" * 64), submission, now, "submission.accepted", None, new="accepted", actor=client)
    queued = event(head(first), submission, now, "delivery.queued", delivery, new="queued", details={"target": TARGET})
    kept = (submission, case, "rest", client, inbox_key, digest, SERVICE, None, "stadtkasse", "new", "accepted")
    judged = (SCHEMA, etree.QName(root).localname, True, "accept", False, SCHEMA, "application/xml", "2.1.0", None)
    wrapped = nonce + WRAPPING.encrypt(nonce, data_key, submission.encode())
    rows: Rows = {
        "submission": [(*kept, *judged, now, now, *head(queued))],
        "key": [(submission, 1, wrapped, True, now)],
        "part": [part for part, _ in parts],
        "chunk": [chunk for _, chunk in parts],
        "delivery": [(delivery, submission, TARGET, SERVICE, "stadtkasse", "queued", 0, 0, 0, 0, False, now, now, now)],
        "outbox": [(delivery, submission, TARGET, SERVICE, 1, now, now)],
        "event": [first, queued],
    }
    return rows, {"submissionId": submission, "caseId": case, "status": "accepted", "receivedAt": now}


async def app(scope: Any, receive: Any, send: Any) -> None:
    headers = dict(scope["headers"])
    client = client_of(headers[b"authorization"])
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    parts = parts_of(body)
    rows, answer = accepted_rows(client, headers[b"idempotency-key"].decode(), parts[b"metadata"], parts[b"data"])
    loop, on_disk = asyncio.get_running_loop(), asyncio.Event()
    jobs.put((rows, lambda: loop.call_soon_threadsafe(on_disk.set)))
    await on_disk.wait()
    content = json.dumps(answer).encode()
    length, location = str(len(content)).encode(), b"/v1/submissions/" + answer["submissionId"].encode()
    names = (b"content-type", b"content-length", b"location")
    fields = list(zip(names, (b"application/json", length, location), strict=True))
    await send({"type": "http.response.start", "status": 202, "headers": fields})
    await send({"type": "http.response.body", "body": content})


# ------------------------------------------------------------------------------------------------------------ move

waiting: queue.SimpleQueue[tuple[bytes, Callable[[], None]]] = queue.SimpleQueue()
"""What a worker takes next: the message, and how to acknowledge it."""


def move_for_ever(publish: Callable[[list[bytes]], None]) -> None:
    """Outbox → queue; a row goes away when its message is confirmed."""
    connection = connect()
    due = dialect("SELECT outbox_id, delivery_id, submission_id FROM outbox ORDER BY publish_at LIMIT ?")
    while True:
        rows = connection.execute(due, (WINDOW,)).fetchall()
        connection.commit()
        if not rows:
            threading.Event().wait(0.02)
            continue
        names = ("deliveryId", "submissionId", "target", "service", "attempt")
        publish([json.dumps(dict(zip(names, (*row[1:], TARGET, SERVICE, 1), strict=True))).encode() for row in rows])
        forgotten = threading.Event()
        jobs.put(({"sent": [row[:1] for row in rows]}, forgotten.set))
        forgotten.wait()


def publish_in_memory(messages: list[bytes]) -> None:
    for message in messages:
        waiting.put((message, lambda: None))


def rabbit_publisher() -> Callable[[list[bytes]], None]:
    """Publish a window of messages, return when all are confirmed."""
    ready, confirmed = threading.Event(), threading.Event()
    state: dict[str, Any] = {"expected": 0}

    def on_confirm(frame: Any) -> None:
        assert isinstance(frame.method, pika.spec.Basic.Ack)
        if frame.method.delivery_tag == state["expected"]:
            confirmed.set()

    def on_channel(channel: Any) -> None:
        state["channel"] = channel
        channel.exchange_declare(EXCHANGE, "direct", durable=True)
        arguments = {"x-queue-type": "quorum", "x-delivery-limit": 20}
        channel.queue_declare(QUEUE, durable=True, arguments=arguments)
        channel.queue_bind(QUEUE, EXCHANGE, TARGET)
        channel.confirm_delivery(on_confirm, callback=lambda _: ready.set())

    def on_open(connection: Any) -> None:
        connection.channel(on_open_callback=on_channel)

    connection = pika.SelectConnection(pika.URLParameters(CONFIG["broker_url"]), on_open_callback=on_open)
    threading.Thread(target=connection.ioloop.start, daemon=True).start()
    ready.wait()
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)

    def publish(messages: list[bytes]) -> None:
        def send() -> None:
            for message in messages:
                state["channel"].basic_publish(EXCHANGE, TARGET, message, properties, mandatory=True)

        confirmed.clear()
        state["expected"] += len(messages)
        connection.ioloop.add_callback_threadsafe(send)
        confirmed.wait()

    return publish


# ------------------------------------------------------------------------------------------------------------ work


def consume_for_ever() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(CONFIG["broker_url"]))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=WORKERS)

    def take(_channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        tag = method.delivery_tag
        waiting.put((body, lambda: connection.add_callback_threadsafe(lambda: channel.basic_ack(tag))))

    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 20})
    channel.basic_consume(QUEUE, take)
    channel.start_consuming()


def on_disk(rows: Rows) -> None:
    written = threading.Event()
    jobs.put((rows, written.set))
    written.wait()


CONTENT = """SELECT k.wrapped_key, c.data, s.event_number, s.event_hash, s.received_at FROM submission s
 JOIN content_key k ON k.submission_id = s.submission_id
 JOIN content_chunk c ON c.submission_id = s.submission_id AND c.part = 2 AND c.sequence = 0
 WHERE s.submission_id = ?"""


def sent(request: bytes) -> bytes:
    """The answer. On a connection of its own: where a repeat does harm, a kept one must not be used, because nobody
    could tell whether the other side closed it before or after it took the request.
    """
    target = http.client.HTTPConnection("127.0.0.1", CONFIG["department_port"])
    target.request("POST", "/", request, {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'})
    answer = target.getresponse().read()
    target.close()
    return answer


def work_for_ever() -> None:
    connection, content = connect(), dialect(CONTENT)
    schema = request_schema()
    while True:
        message, acknowledge = waiting.get()
        told = json.loads(message)
        delivery, submission = told["deliveryId"], told["submissionId"]
        row = connection.execute(content, (submission,)).fetchone()
        connection.commit()
        key = AESGCM(WRAPPING.decrypt(row[0][:12], row[0][12:], submission.encode()))
        data = key.decrypt(row[1][:12], row[1][12:], f"{submission}\x00data\x000\x00final".encode())
        received_at = datetime.fromisoformat(str(row[4])).astimezone(UTC)  # SQLite gives a text, PostgreSQL a moment
        body = request_of(delivery, received_at.isoformat().replace("+00:00", "Z"), parsed(data))
        assert schema.validate(parsed(body)[0][0])
        begun = begin_rows(delivery, submission, (row[2], row[3]), hashlib.sha256(body).hexdigest())
        on_disk(begun)
        answer = sent(body)
        assert schema.validate(parsed(answer)[0][0])
        on_disk(end_rows(delivery, submission, head(list(begun["event"][-1])), key, answer))
        acknowledge()


def begin_rows(delivery: str, submission: str, last: tuple[int, str], digest: str) -> Rows:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    claimed = event(last, submission, now, "delivery.delivering", delivery, old="queued", new="delivering")
    started = event(head(claimed), submission, now, "attempt.started", delivery, details={"attempt": 1})
    return {
        "claim": [(now, delivery)],
        "attempt": [(delivery, 1, "bare", "bare", digest, digest, False, now)],
        "event": [claimed, started],
        "head": [(*head(started), submission, last[0])],
    }


def end_rows(delivery: str, submission: str, last: tuple[int, str], key: AESGCM, answer: bytes) -> Rows:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    root = parsed(answer)
    names = ("Vorgangsnummer", "Aktenzeichen")
    found = {name.lower(): root.findtext(f".//{{urn:beispiel:hundesteuer:1}}{name}") for name in names}
    assert all(found.values())
    done = event(last, submission, now, "delivery.delivered", delivery, old="delivering", new="delivered")
    completed = event(head(done), submission, now, "submission.completed", None, old="accepted", new="completed")
    part, chunk = sealed(key, submission, 4, f"attempt:1:{delivery}:evidence", "text/xml", answer)
    return {
        "ended": [(now, delivery)],
        "delivered": [(now, delivery)],
        "reference": [(delivery, name, value, submission, now) for name, value in found.items()],
        "part": [part],
        "chunk": [chunk],
        "event": [done, completed],
        "completed": [(now, *head(completed), submission, last[0])],
    }


def main(roles: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    targets: list[Callable[[], None]] = [write_for_ever]
    if "move" in roles:
        publish = rabbit_publisher() if CONFIG["broker_url"] else publish_in_memory
        targets.append(lambda: move_for_ever(publish))
    if "work" in roles:
        targets += [work_for_ever] * WORKERS + ([consume_for_ever] if CONFIG["broker_url"] else [])
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    if "accept" in roles:
        uvicorn.run(app, port=CONFIG["port"], lifespan="off", ws="none", log_level="error", access_log=False)
    threads[0].join()


if __name__ == "__main__":
    main(sys.argv[2:])
