"""Keeping what was handed in: once, whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from store_world import CANARY, World, finding, verdict

from gateway.errors import Conflict, NotFound
from gateway.store.database import database_url
from gateway.store.store import Accepted, KeyReused
from gateway.submission import Attachment


def test_an_accepted_submission_is_read_back_exactly_as_it_was_handed_in(world: World) -> None:
    submission_id = "11111111-0000-4000-8000-000000000000"
    content = world.store.new_content(submission_id)
    part = content.write_part("attachment:a1", "application/pdf", b"%PDF-1.7 " + CANARY.encode())
    attachment = Attachment("a1", "../Bescheid.pdf", "application/pdf", "attachment", part)
    handed_in = world.submission(submission_id=submission_id, attachments=(attachment,), case_id="case-1")
    judged = verdict(findings=(finding(),), valid=False, test=True)

    world.store.accept(handed_in, judged, ["steuer"], content).result(30)
    read, checked = world.store.submission(submission_id)

    assert (read.data, read.metadata, read.attachments) == (handed_in.data, handed_in.metadata, (attachment,))
    assert (read.received_at, read.case_id, read.digest) == (handed_in.received_at, "case-1", handed_in.digest)
    assert checked == judged
    assert b"".join(world.store.read_part(submission_id, "attachment:a1")) == b"%PDF-1.7 " + CANARY.encode()


def test_acceptance_makes_one_queued_delivery_and_one_outbox_row_per_target(world: World) -> None:
    accepted = world.accept("steuer", "ordnungsamt")

    view = world.store.view(accepted.submission_id)
    rows = world.store.due_outbox(10, world.clock())

    assert (view.state, view.final) == ("accepted", False)
    assert [(d.target, d.state) for d in view.deliveries] == [("ordnungsamt", "queued"), ("steuer", "queued")]
    assert {row.delivery_id for row in rows} == {d.delivery_id for d in view.deliveries}
    assert {row.due_at for row in rows} == {world.clock()}


def test_a_submission_without_a_case_id_gets_one_and_keeps_the_one_it_brings(world: World) -> None:
    own = world.accept(submission=world.submission(case_id="case-7"))
    first, second = world.accept(), world.accept()

    assert own.case_id == "case-7"
    assert first.case_id != second.case_id
    assert [view.submission_id for view in world.store.matter("case-7")] == [own.submission_id]
    assert world.store.matter("case-7", client="somebody-else") == []


@pytest.mark.parametrize("decision", ["clarify", "hold"])
def test_what_waits_for_a_person_or_a_scanner_has_no_delivery_yet(world: World, decision: str) -> None:
    accepted = world.accept("steuer", checked=verdict(decision=decision, findings=(finding(), finding("xml.other"))))

    assert world.store.view(accepted.submission_id).deliveries == ()
    assert world.store.due_outbox(10, world.clock()) == []
    letters = world.store.dead_letters(submission_id=accepted.submission_id)
    assert [(x.failure, x.code, x.place) for x in letters] == (
        [("clarify", "schema.missing_element", "/hund/halter")] if decision == "clarify" else []
    )


def test_fifty_parallel_identical_submissions_are_one_row_with_one_id(world: World) -> None:
    same = [world.submission(inbox_key="same", digest="same") for _ in range(50)]

    def hand_in(submission_index: int) -> Accepted | KeyReused:
        submission = same[submission_index]
        content = world.store.new_content(submission.submission_id)
        return world.store.accept(submission, verdict(), ["steuer"], content).result(60)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(hand_in, range(50)))

    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(accepted) == 50
    assert sum(answer.created for answer in accepted) == 1
    assert len({(a.submission_id, a.case_id, a.status, a.received_at) for a in accepted}) == 1
    assert world.store.counts() == {"queued": 1}


def test_a_repeat_gets_the_first_answer_even_after_everything_moved_on(world: World) -> None:
    first = world.accept(
        submission=world.submission(inbox_key="k", digest="d"),
        checked=verdict(decision="clarify", findings=(finding(),)),
    )
    world.store.release(first.submission_id, ["steuer"], actor="amt", reason="geprüft").result(30)
    world.clock.forward(3600)

    repeat = world.store.find_by_key("rest", "portal", "k", "d")
    again = world.submission(inbox_key="k", digest="d")
    handed_in_again = world.store.accept(
        again, verdict(), ["steuer"], world.store.new_content(again.submission_id)
    ).result(30)

    assert repeat == handed_in_again == replace(first, created=False)
    with pytest.raises(NotFound):
        world.store.view(again.submission_id)


def test_the_same_key_with_other_content_is_told_so_and_changes_nothing(world: World) -> None:
    first = world.accept(submission=world.submission(inbox_key="k", digest="d"))
    other = world.submission(inbox_key="k", digest="other")

    answer = world.store.accept(other, verdict(), ["x"], world.store.new_content(other.submission_id)).result(30)

    assert answer == KeyReused(first.submission_id) == world.store.find_by_key("rest", "portal", "k", "other")
    assert len(world.store.due_outbox(10, world.clock())) == 1


def test_the_same_key_of_another_client_or_channel_is_another_key(world: World) -> None:
    world.accept(submission=world.submission(inbox_key="k", digest="d"))

    assert world.accept(submission=world.submission(inbox_key="k", digest="e", client="other")).created
    assert world.accept(submission=world.submission(inbox_key="k", digest="f", channel="xta")).created
    assert world.store.find_by_key("rest", "nobody", "k", "d") is None


def test_submissions_without_a_key_never_meet(world: World) -> None:
    answers = [world.accept(submission=world.submission(inbox_key=None, digest="d")) for _ in range(3)]

    assert all(answer.created for answer in answers)


def test_a_submission_id_that_is_there_already_is_refused(world: World) -> None:
    first = world.submission()
    world.accept(submission=first)
    twin = replace(first, inbox_key="other-key")

    with pytest.raises(Conflict):
        world.store.accept(twin, verdict(), ["steuer"], world.store.new_content(twin.submission_id)).result(30)


def test_one_bad_submission_in_a_batch_fails_alone(world: World) -> None:
    first = world.submission()
    world.accept(submission=first)
    together = [replace(first, inbox_key="other-key"), *[world.submission() for _ in range(20)]]

    futures = [world.store.accept(s, verdict(), ["steuer"], world.store.new_content(s.submission_id)) for s in together]

    assert isinstance(futures[0].exception(30), Conflict)
    assert all(isinstance(future.result(30), Accepted) for future in futures[1:])


def test_a_refusal_keeps_a_record_without_content_and_without_the_key(world: World) -> None:
    refused = world.submission(inbox_key="k", digest="bad")
    world.store.reject(refused, verdict(decision="reject", valid=False, findings=(finding(),))).result(30)

    view = world.store.view(refused.submission_id, events=True)
    mended = world.accept(submission=world.submission(inbox_key="k", digest="good"))

    assert (view.state, view.final, view.deliveries) == ("rejected", True, ())
    assert view.events[0]["details"] == {"findings": ["schema.missing_element"]}
    assert world.store.verify_chain(refused.submission_id) == []
    assert mended.created
    with pytest.raises(NotFound):
        world.store.submission(refused.submission_id)


def test_an_accepted_submission_without_a_target_is_a_bug_not_a_submission(world: World) -> None:
    submission = world.submission()

    with pytest.raises(ValueError, match="needs a target"):
        world.store.accept(submission, verdict(), [], world.store.new_content(submission.submission_id))


def test_the_same_content_again_within_the_window_is_a_suspected_duplicate(world: World) -> None:
    first = world.accept(submission=world.submission(inbox_key=None, digest="d"))

    since = world.clock()
    assert world.store.suspected_duplicate("portal", "d", since) == first.submission_id
    assert world.store.suspected_duplicate("other", "d", since) is None
    world.clock.forward(1)
    assert world.store.suspected_duplicate("portal", "d", world.clock()) is None


def test_the_moment_of_receipt_cannot_be_changed_not_even_in_the_database(world: World) -> None:
    accepted = world.accept()
    engine = create_engine(database_url(world.url))

    with pytest.raises(Exception, match="moment of receipt"), engine.begin() as connection:
        connection.execute(text("UPDATE submission SET received_at = '1999-01-01 00:00:00+00:00'"))
    engine.dispose()

    assert world.store.view(accepted.submission_id).received_at == accepted.received_at


def test_nothing_a_citizen_wrote_is_readable_in_the_database_files(world: World, tmp_path: Path) -> None:
    delivery = world.claimed()
    world.store.attempt_unknown(delivery, world.attempt(delivery), "http.timeout", f"Antwort an {CANARY}").result(30)
    if world.url.startswith("postgresql"):
        engine = create_engine(database_url(world.url))
        with engine.connect() as connection:
            stored = b"".join(bytes(row[0]) for row in connection.execute(text("SELECT data FROM content_chunk")))
        engine.dispose()
    else:
        stored = b"".join(path.read_bytes() for path in tmp_path.glob("gateway.db*"))

    assert len(stored) > 100
    assert CANARY.encode() not in stored
    assert CANARY.encode() in world.store.submission(delivery.submission_id)[0].data


def test_a_second_process_sees_what_was_accepted(world: World, open_world: Callable[[], World]) -> None:
    accepted = world.accept()

    assert open_world().store.view(accepted.submission_id) == world.store.view(accepted.submission_id)
