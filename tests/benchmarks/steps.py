"""What the gateway's time is spent on: every step alone, in one process, as CPU time of all its threads."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway import pipeline
from gateway.delivery import Delivered, Delivery
from gateway.intake.auth import TokenVerifier
from gateway.intake.multipart import MultipartReader
from gateway.intake.rest import Received, Reception, content_digest
from gateway.settings import load_settings
from gateway.store import AttemptStart, Claimed
from gateway.store.content import ContentWriter
from gateway.submission import Submission
from gateway.wiring import Gateway, open_gateway
from tests.benchmarks.message import BOUNDARY, SERVICE, TARGET, message, multipart
from tests.benchmarks.sides import PARALLEL, Side

T = TypeVar("T")
Steps = dict[str, float]
"""Name → CPU µs per submission (or delivery)."""


def measure(side: Side, count: int) -> tuple[Steps, Steps]:
    """The steps of accepting, and those of delivering what was accepted. side: embedded, not running."""
    with open_gateway(load_settings(side.folder / "gateway.yaml")) as gateway:
        return _accepting(gateway, side.token, count), _delivering(gateway, count)


def _each(calls: Sequence[Callable[[], object]]) -> float:
    """CPU µs per call. The first tenth only warms up."""
    warm = len(calls) // 10
    for call in calls[:warm]:
        call()
    began = time.process_time()
    for call in calls[warm:]:
        call()
    return (time.process_time() - began) / (len(calls) - warm) * 1e6


def _accepting(gateway: Gateway, token: str, count: int) -> Steps:
    issuer = gateway.token_issuer
    assert issuer
    verifier = TokenVerifier(gateway.settings.issuers, local_keys=issuer.jwks, clock=gateway.clock)
    body = multipart(message())
    received = [receive(gateway, body) for _ in range(count)]
    submissions = [submission(gateway, *pair) for pair in received]
    checked = pipeline.check(gateway, submissions[0])

    def keep(group: int) -> None:
        chosen = range(group * PARALLEL, min(count, (group + 1) * PARALLEL))
        futures = [gateway.store.accept(submissions[i], checked, (TARGET,), received[i][1]) for i in chosen]
        for future in futures:
            future.result()

    groups = -(-count // PARALLEL)
    return {
        "token, first time": _each([lambda: verifier.verify(token)] * count),
        "token, remembered": _each([lambda: verifier.remembered(token)] * count),
        "multipart, hashes, encryption": _each([lambda: receive(gateway, body)] * count),
        "parse, XSD, decide": _each([lambda: pipeline.check(gateway, submissions[0])] * count),
        f"rows and commit, {PARALLEL} together": _each([lambda g=g: keep(g) for g in range(groups)]) / PARALLEL,
    }


def receive(gateway: Gateway, body: bytes) -> tuple[Received, ContentWriter]:
    content = gateway.store.new_content(str(uuid.uuid4()))
    reception = Reception(content, gateway.settings.limits)
    reader = MultipartReader(BOUNDARY.encode(), reception)
    reader.feed(body)
    reader.finish()
    return reception.finish(), content


def submission(gateway: Gateway, received: Received, content: ContentWriter) -> Submission:
    metadata = received.metadata
    return Submission(
        submission_id=content.submission_id,
        channel="rest",
        client="demo-portal",
        inbox_key=content.submission_id,
        received_at=gateway.clock(),
        schema_uri=metadata.schema_uri,
        media_type=metadata.media_type,
        data=received.data,
        metadata=metadata.value,
        metadata_version=metadata.version,
        digest=content_digest(received, service=SERVICE, kind="new", case_id=None),
        parts=received.parts,
    )


def _delivering(gateway: Gateway, count: int) -> Steps:
    rows = gateway.store.due_outbox(count, gateway.clock())
    target = gateway.packages.targets[TARGET]
    claims: list[Delivery] = []
    numbers: list[int] = []

    def claim(group: Sequence[str]) -> None:
        for future in [gateway.store.claim(i, "benchmark", 600) for i in group]:
            result = future.result()
            assert isinstance(result, Claimed)
            claims.append(result.delivery)

    claimed = _each([lambda g=g: claim(g) for g in _groups([row.delivery_id for row in rows])]) / PARALLEL
    prepared = pipeline.prepare(gateway, claims[0], target)
    assert isinstance(prepared, pipeline.Prepared)
    mapped = _each([lambda d=d: pipeline.prepare(gateway, d, target) for d in claims])
    adapter = gateway.adapters[TARGET]
    called = _each([lambda: adapter.deliver(prepared.request)] * len(claims))
    receipt = adapter.deliver(prepared.request)
    start = AttemptStart("benchmark", prepared.package_version, prepared.case_digest, prepared.request_digest, False)
    outcome = Delivered(dict(receipt.references), receipt.evidence, receipt.evidence_type, False)

    def begin(group: Sequence[Delivery]) -> None:
        numbers.extend(future.result() for future in [gateway.store.start_attempt(d, start) for d in group])

    def finish(group: Sequence[Delivery]) -> None:
        for future in [gateway.store.finish(d, 1, outcome) for d in group]:
            future.result()

    return {
        f"claim, {PARALLEL} together": claimed,
        "content back, case, request": mapped,
        f"attempt recorded, {PARALLEL} together": _each([lambda g=g: begin(g) for g in _groups(claims)]) / PARALLEL,
        "SOAP request, call, answer": called,
        f"outcome stored, {PARALLEL} together": _each([lambda g=g: finish(g) for g in _groups(claims)]) / PARALLEL,
    }


def _groups(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[i : i + PARALLEL] for i in range(0, len(items), PARALLEL)]
