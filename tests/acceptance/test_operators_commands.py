"""What operators type: what waits and why, dead letters in words, and every wrong word refused with the right ones."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from intake_support import PDF, SERVICE, File, Sender, open_sender, parts_for, sample

from adapters.base import OutcomeUnknown, Permanent, Retryable
from gateway.attachments.examining import Examiner
from gateway.attachments.scanning import open_scanner
from gateway.cli import run
from gateway.delivery import Dead, Delivery
from gateway.delivery.breaker import Circuit
from gateway.delivery.requirements import unmet
from gateway.delivery.verdicts import dead, expired
from gateway.packages.model import Requires
from gateway.store import AttemptStart, Claimed, Likeness, Store

SECRET = "geheim-4711"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "operators-documents.md"
NOBODY = "00000000-0000-4000-8000-000000000000"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


@dataclass
class Desk:
    """An installation, and the command line in front of it."""

    sender: Sender
    config: Path
    capture: pytest.CaptureFixture[str]

    @property
    def store(self) -> Store:
        return self.sender.gateway.store

    def type(self, *words: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr)"""
        code = run([*words, "--config", str(self.config)])
        done = self.capture.readouterr()
        return code, done.out, done.err

    def json(self, *words: str, code: int = 0) -> Any:
        returned, shown, complained = self.type(*words, "--json")
        assert returned == code, complained
        return json.loads(shown)

    def delivery(self, target: str = "hundesteuer") -> Delivery:
        submission = self.sender.send().json()["submissionId"]
        (found,) = [d for d in self.store.view(submission).deliveries if d.target == target]
        return self.store.delivery(found.delivery_id)

    def dies(self, outcome: Dead, target: str = "hundesteuer") -> str:
        claim = self.store.claim(self.delivery(target).delivery_id, "w", 60).result(30)
        assert isinstance(claim, Claimed)
        attempt = self.store.start_attempt(claim.delivery, AttemptStart("w", "v", "c", "r", False)).result(30)
        self.store.finish(claim.delivery, attempt, outcome).result(30)
        return claim.delivery.delivery_id

    def is_held(self) -> str:
        """Accepted with an attachment while no scanner answers: its submission id."""
        gateway = self.sender.gateway
        nowhere = open_scanner("clamd:/nowhere/socket", seconds=1)
        gateway.examiner = Examiner(nowhere, gateway.clock, gateway.metrics.scanned)
        answer = self.sender.post(parts_for(*sample(), [File(PDF)])).json()
        assert answer["status"] == "held", answer
        self.capture.readouterr()  # what was logged meanwhile
        return str(answer["submissionId"])

    def goes_away(self, target: str) -> datetime:
        """When it may be probed next."""
        now = datetime.now(UTC)
        circuit = Circuit().failed("auth", "http.401", now, timedelta(hours=1))
        self.store.set_circuit(target, circuit.as_dict()).result(30)
        assert circuit.probe_at is not None
        return circuit.probe_at


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "gateway.yaml"
    queue = {"url": f"amqp://user:{SECRET}@127.0.0.1:5672/statistik?key={SECRET}"}
    settings = {"home": str(tmp_path / "var"), "services": [SERVICE], "targets": {"hundestatistik": queue}}
    config.write_text(json.dumps(settings), encoding="utf-8")
    with contextlib.contextmanager(open_sender)(tmp_path / "var") as sender:
        yield Desk(sender, config, capsys)


# ------------------------------------------------------------------------------------------------ what waits and why


def test_targets_shows_who_is_away_since_when_why_and_what_waits_for_it(desk: Desk) -> None:
    waiting = desk.delivery()
    probe = desk.goes_away("hundesteuer")
    desk.store.park(waiting.delivery_id, "auth", "http.401").result(30)
    desk.dies(dead(Permanent("http.422")))

    by_name = {t["target"]: t for t in desk.json("targets")}

    assert set(by_name) == {"hundesteuer", "eakte-stadtkasse", "hundestatistik"}
    away = by_name["hundesteuer"]
    assert away["adapter"] == "soap"
    assert away["circuit"]["state"] == "open"
    assert (away["circuit"]["class"], away["circuit"]["code"]) == ("auth", "http.401")
    assert datetime.fromisoformat(away["circuit"]["nextProbeAt"]) == probe
    assert away["deliveries"] == {"queued": 0, "delivering": 0, "waiting": 1, "unknown": 0, "dead": 1}
    assert datetime.fromisoformat(away["oldestSince"]) == waiting.first_due
    assert by_name["eakte-stadtkasse"]["circuit"]["state"] == "closed"
    assert by_name["eakte-stadtkasse"]["deliveries"]["queued"] == 2
    code, shown, _ = desk.type("targets")
    assert code == 0
    assert "auth: http.401 (HTTP status 401.)" in " ".join(shown.split())


def test_deliveries_list_says_what_each_waits_for_and_when_it_gives_up(desk: Desk) -> None:
    parked = desk.delivery()
    probe = desk.goes_away("hundesteuer")
    desk.store.park(parked.delivery_id, "auth", "http.401").result(30)
    opening = datetime.now(UTC) + timedelta(hours=8)
    shut = desk.delivery("eakte-stadtkasse")
    desk.store.postpone(shut.delivery_id, opening, "hours", None).result(30)

    (first,) = desk.json("deliveries", "list", "--target", "hundesteuer", "--state", "waiting")
    (second,) = desk.json("deliveries", "list", "--target", "eakte-stadtkasse", "--state", "waiting")

    assert (first["deliveryId"], first["waitsFor"], first["dueAt"]) == (parked.delivery_id, "circuit", None)
    assert (first["class"], first["code"], first["attempts"]) == ("auth", "http.401", 0)
    assert datetime.fromisoformat(first["nextProbeAt"]) == probe
    assert datetime.fromisoformat(first["givesUpAt"]) == parked.first_due + timedelta(days=3)
    assert first["why"] == {"de": "bis das Ziel wieder antwortet", "en": "for the target to answer again"}
    assert (second["waitsFor"], second["givesUpAt"]) == ("hours", None)
    assert datetime.fromisoformat(second["dueAt"]) == opening
    assert len(desk.json("deliveries", "list")) == 6
    assert len(desk.json("deliveries", "list", "--limit", "2")) == 2
    assert desk.json("deliveries", "list", "--state", "dead") == []
    _, shown, _ = desk.type("deliveries", "list", "--lang", "de")
    assert "antwortet" in shown
    assert "answer" not in shown


# ------------------------------------------------------------------------------------------------- what was mistyped


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dead", "list", "--state", "opne"], ["open", "redriven", "discarded", "all"]),
        (["dead", "list", "--failure", "unavailible"], ["Did you mean unavailable?", "rejected_by_target"]),
        (["dead", "list", "--target", "hundesteur"], ["Did you mean hundesteuer?", "eakte-stadtkasse"]),
        (["dead", "list", "--service", "hundesteuer-anmeldun"], [f"Did you mean {SERVICE}?"]),
        (["dead", "list", "--limit", "0"], ["limit"]),
        (["dead", "list", "--limit", "-1"], ["limit"]),
        (["dead", "show", "not-an-id"], ["not-an-id", "gateway dead list"]),
        (["dead", "redrive", "not-an-id"], ["not-an-id", "gateway dead list"]),
        (["dead", "redrive", NOBODY, "--yes", "--reason", "r"], [NOBODY]),
        (["dead", "redrive", "--target", "nobody"], ["hundesteuer"]),
        (["dead", "redrive"], ["--target"]),
        (["dead", "discard", "x"], ["'x'"]),
        (["dead", "discard", NOBODY], [NOBODY, "nothing was changed"]),
        (["dead", "restore", "x", "--reason", "r"], ["'x'"]),
        (["dead", "restore", NOBODY, "--reason", "r"], [NOBODY]),
        (["dead", "restore", NOBODY], ["--reason"]),
        (["deliveries", "list", "--state", "wating"], ["Did you mean waiting?"]),
        (["deliveries", "list", "--target", "nobody"], ["hundesteuer"]),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(desk: Desk, words: list[str], told: list[str]) -> None:
    code, shown, complained = desk.type(*words)
    assert (code, shown) == (2, "")
    for part in told:
        assert part in " ".join(complained.split())
    error = desk.json(*words, code=2)["error"]
    assert error["code"]


def test_a_target_that_is_configured_no_more_can_still_be_asked_for(desk: Desk) -> None:
    gone = desk.dies(dead(Permanent("http.422")))
    text = desk.config.read_text(encoding="utf-8").replace(SERVICE, "waffenbesitzkarte-antrag")
    desk.config.write_text(text, encoding="utf-8")

    assert [letter["deliveryId"] for letter in desk.json("dead", "list", "--target", "hundesteuer")] == [gone]


# ---------------------------------------------------------------------------------------------------- dead letters


def test_a_list_of_dead_letters_has_service_cause_and_what_to_do(desk: Desk) -> None:
    delivery = desk.dies(dead(Permanent("http.422")))

    code, shown, hint = desk.type("dead", "list")
    _, german, _ = desk.type("dead", "list", "--lang", "de")

    assert code == 0
    assert delivery in shown
    flat = re.sub(r"\s+", "", shown)
    for part in (SERVICE, "hundesteuer", "rejected_by_target", "http.422"):
        assert part in flat
    assert "Read the answer" in " ".join(shown.split())
    assert "--reason … --yes" in " ".join(hint.split())
    assert "Lesen Sie" in german
    assert "to do" not in german


def test_show_tells_cause_last_failure_address_attempts_and_only_this_deliverys_events(desk: Desk) -> None:
    delivery = desk.dies(expired(4, "unavailable", "tcp.refused"))

    shown = desk.json("dead", "show", delivery)

    assert (shown["class"], shown["cause"], shown["code"]) == ("expired", "unavailable", "tcp.refused")
    assert shown["explanation"]["code"]["en"] == "The connection was refused."
    assert shown["explanation"]["cause"]["de"] == "Das Zielsystem war nicht erreichbar."
    assert shown["address"] == "http://127.0.0.1:9000/hundesteuer VorgangAnlegen"
    assert [a["number"] for a in shown["attemptLog"]] == [1]
    assert {event["deliveryId"] for event in shown["events"]} == {delivery}
    assert shown["submission"]["deliveries"][0]["deliveryId"]
    _, text, _ = desk.type("dead", "show", delivery)
    assert "Given up after 4 attempts." in text
    assert "unavailable: The department system could not be reached." in text


def test_what_the_target_said_is_shown_to_who_says_why_and_that_is_on_record(desk: Desk) -> None:
    delivery = desk.dies(dead(Permanent("http.422", detail="hundename: zu kurz")))

    silent = desk.json("dead", "show", delivery)
    without_reason, _, _ = desk.type("dead", "show", delivery, "--answer")
    shown = desk.json("dead", "show", delivery, "--answer", "--reason", "the target names a field")

    assert "hundename" not in json.dumps(silent)
    assert without_reason == 2
    assert [one["text"] for one in shown["answers"]] == ["hundename: zu kurz"]
    looked = [e for e in desk.store.view(silent["submissionId"], events=True).events if e["kind"] == "access"]
    assert [e["details"]["reason"] for e in looked] == ["the target names a field"]


def test_a_list_that_is_cut_says_so(desk: Desk) -> None:
    for _ in range(2):
        desk.dies(dead(Permanent("http.422")))

    _, shown, hint = desk.type("dead", "list", "--limit", "1")
    _, _, whole = desk.type("dead", "list", "--limit", "2")

    assert shown.count("http.422") == 1
    assert "more than these 1" in hint
    assert "more than these" not in whole


def test_no_secret_of_the_targets_address_is_shown(desk: Desk) -> None:
    delivery = desk.dies(dead(Permanent("amqp.no_queue", failure="contract")), "hundestatistik")

    shown = [desk.type("dead", "show", delivery), desk.type("dead", "show", delivery, "--json")]
    shown += [desk.type("targets"), desk.type("targets", "--json")]

    assert SECRET not in str(shown)
    assert desk.json("dead", "show", delivery)["address"] == "amqp://127.0.0.1:5672/statistik hundestatistik"


@pytest.mark.parametrize(
    ("words", "environment", "german"),
    [
        ([], {}, False),
        ([], {"LANG": "de_DE.UTF-8"}, True),
        ([], {"LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8"}, False),
        (["--lang", "de"], {}, True),
        (["--lang", "en"], {"LANG": "de_DE.UTF-8"}, False),
    ],
)
def test_a_dead_letter_speaks_english_or_german(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict[str, str], german: bool
) -> None:
    delivery = desk.dies(expired(1, "unavailable", "tcp.refused"))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    _, shown, _ = desk.type("dead", "show", delivery, *words)

    assert ("Nach einem Versuch aufgegeben." in shown) is german
    assert ("Given up after one attempt." in shown) is not german
    assert ("Zu tun:" in shown) is german


def test_every_moment_and_name_in_json_has_one_form(desk: Desk) -> None:
    delivery = desk.dies(dead(Retryable("tcp.refused")))
    opening = datetime.now(UTC) + timedelta(hours=8)
    desk.store.postpone(desk.delivery().delivery_id, opening, "hours", None).result(30)
    submission = desk.store.delivery(delivery).submission_id

    documents = [
        desk.json("dead", "list"),
        desk.json("dead", "show", delivery),
        desk.json("case", "show", submission),
        desk.json("targets"),
        desk.json("deliveries", "list"),
    ]

    assert [name for name in names(documents) if "_" in name] == []
    moments = _MOMENT.findall(json.dumps(documents))
    assert moments
    assert {zone for _, zone in moments} == {"Z"}


def test_redriving_tells_of_each_what_became_of_it(desk: Desk) -> None:
    first, second = desk.dies(dead(Permanent("http.422"))), desk.dies(dead(Permanent("http.422")))

    tried = desk.json("dead", "redrive", first, second)
    done = desk.json("dead", "redrive", first, "--yes", "--reason", "mended")
    again = desk.json("dead", "redrive", first, second, "--yes", "--reason", "mended", code=1)

    assert (tried["redriven"], tried["selected"], tried["dryRun"]) == (0, 2, True)
    assert [(r["deliveryId"], r["result"]) for r in tried["results"]] == [(first, "selected"), (second, "selected")]
    assert [(r["deliveryId"], r["result"]) for r in done["results"]] == [(first, "redriven")]
    assert again["redriven"] == 1
    assert {r["deliveryId"]: r["result"] for r in again["results"]} == {first: "skipped", second: "redriven"}
    (skipped,) = [r for r in again["results"] if r["result"] == "skipped"]
    assert skipped["why"] == "the dead letter is redriven, not open"


def test_discarding_and_restoring_tell_of_each_too(desk: Desk) -> None:
    delivery = desk.dies(dead(Permanent("http.422")))

    discarded = desk.json("dead", "discard", delivery, "--yes", "--reason", "entered by hand")
    restored = desk.json("dead", "restore", delivery, "--reason", "a mistake")
    again = desk.json("dead", "restore", delivery, "--reason", "once more", code=1)

    assert [r["result"] for r in discarded["results"]] == ["discarded"]
    assert (restored["restored"], [r["result"] for r in restored["results"]]) == (1, ["restored"])
    assert [r["why"] for r in again["results"]] == ["the dead letter is open, not discarded"]


def test_what_waits_for_the_scanner_is_listed_and_its_history_says_why(desk: Desk) -> None:
    held = desk.is_held()

    code, shown, _ = desk.type("held", "list", "--lang", "de")
    assert code == 0
    assert held[:8] in shown.replace("\n", "")
    assert "Zurückgestellt" in shown

    (document,) = desk.json("case", "show", held)
    assert (document["status"], document["nextActor"], document["deliveries"]) == ("held", "gateway", [])
    assert document["events"][0]["details"]["findings"] == ["attachment.scan_delayed"]


def test_the_page_on_documents_names_exactly_their_members(desk: Desk) -> None:
    delivery = desk.dies(dead(Permanent("http.422")))
    desk.delivery()
    (letter,), (targets, *_), (waiting, *_) = (
        desk.json("dead", "list"),
        desk.json("targets"),
        desk.json("deliveries", "list"),
    )
    shown, tried = desk.json("dead", "show", delivery), desk.json("dead", "redrive", delivery)

    desk.is_held()
    (held,) = desk.json("held", "list")

    page = members(PAGE.read_text(encoding="utf-8"))

    assert page["`gateway dead list`"] == set(letter)
    assert page["`gateway dead show`"] == set(shown) - set(letter)
    assert page["`gateway dead redrive`"] == set(tried)
    assert page["`gateway deliveries list`"] == set(waiting)
    assert page["`gateway targets`"] == set(targets)
    assert page["`gateway held list`"] == set(held)


def members(page: str) -> dict[str, set[str]]:
    """Heading → the words in backticks in the first column below it."""
    return {
        section.partition("\n")[0]: {
            name for row in re.findall(r"^\|([^|]+)\|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
        }
        for section in page.split("\n## ")[1:]
    }


def names(value: Any) -> Iterator[str]:
    """Every member name in a document; what others named (references, headers of a broker) aside."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name not in ("references", "broker"):
                yield from names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names(inner)


# ------------------------------------------------------------------------------------------------------------ matters


def test_an_application_is_found_by_a_name_that_was_added_later_however_it_is_typed(desk: Desk) -> None:
    delivery = desk.delivery()
    names = ("reference", delivery.delivery_id, "aktenzeichen=STK-2026-17")
    told = desk.json("case", *names, "--reason", "told by phone")
    assert told == {
        "submissionId": delivery.submission_id,
        "deliveryId": delivery.delivery_id,
        "references": {"aktenzeichen": "STK-2026-17"},
    }
    for typed in ("STK-2026-17", "stk 2026 17", delivery.delivery_id, delivery.submission_id):
        (found,) = desk.json("case", "find", typed)
        assert found["submissionId"] == delivery.submission_id
        assert found["references"] == {"hundesteuer": {"aktenzeichen": "STK-2026-17"}}
    events = desk.store.view(delivery.submission_id, events=True).events
    assert {"reason": "told by phone", "references": ["aktenzeichen"]} in [event["details"] for event in events]


def test_a_name_is_not_added_without_a_reason_nor_to_one_of_several_deliveries(desk: Desk) -> None:
    submission = desk.delivery().submission_id
    words = ("case", "reference", submission, "aktenzeichen=1")
    code, _, complained = desk.type(*words)
    assert code == 2
    assert "a reason is missing" in complained
    code, _, complained = desk.type(*words, "--reason", "by phone")
    assert code == 2
    assert "--target" in complained
    assert desk.json(*words, "--reason", "by phone", "--target", "hundesteuer")["submissionId"] == submission
    code, _, _ = desk.type("case", "reference", submission, "aktenzeichen", "--reason", "r", "--target", "hundesteuer")
    assert code == 2


def test_what_is_unknown_is_not_found(desk: Desk) -> None:
    code, _, complained = desk.type("case", "find", "AZ-0")
    assert code != 0
    assert "nothing is known" in complained


def test_what_possibly_came_twice_is_listed(desk: Desk) -> None:
    assert desk.json("case", "twice") == []
    first, second = desk.delivery(), desk.delivery()
    for one in (first, second):
        claim = desk.store.claim(one.delivery_id, "w", 60).result(30)
        assert isinstance(claim, Claimed)
        start = AttemptStart("w", "v", "c", "r", False, Likeness(("f" * 64,), one.created_at - timedelta(days=1)))
        desk.store.start_attempt(claim.delivery, start).result(30)
    listed = desk.json("case", "twice")
    both = {first.submission_id, second.submission_id}
    assert all({pair["submissionId"], pair["otherId"]} == both for pair in listed)
    assert {pair["why"] for pair in listed} == {"person", "content", "reference"}
    shown = desk.json("case", "show", first.submission_id)[0]["possiblyTwice"]
    assert {"submissionId": second.submission_id, "why": "person"} in shown


def test_a_dead_letter_below_a_requirement_is_let_pass_and_that_is_recorded(desk: Desk) -> None:
    missing = unmet(Requires(trust_level="high"), {})
    assert missing is not None
    delivery = desk.dies(missing)
    done = desk.json("dead", "redrive", delivery, "--let-pass", "--reason", "passport shown", "--yes")
    assert done["redriven"] == 1
    assert desk.store.delivery(delivery).waived


def test_who_has_to_decide_about_an_unknown_outcome_is_offered_three_honest_ways(desk: Desk) -> None:
    delivery = desk.dies(dead(OutcomeUnknown("http.read_timeout")))

    shown = desk.json("dead", "show", delivery)["choices"]
    _, german, _ = desk.type("dead", "show", delivery, "--lang", "de")

    assert [choice["choice"] for choice in shown] == ["arrived", "not_arrived", "ask"]
    arrived, again, ask = (choice["command"] for choice in shown)
    assert f"dead settle {delivery}" in arrived
    assert f"dead redrive {delivery} --may-repeat" in again
    assert ask is None
    assert delivery in shown[2]["text"]["en"]
    assert "Sie haben die Wahl:" in german
    assert desk.json("dead", "show", desk.dies(dead(Permanent("http.422"))))["choices"] == []


def test_what_the_department_has_is_settled_under_its_reference_once(desk: Desk) -> None:
    delivery = desk.dies(dead(OutcomeUnknown("http.read_timeout")))
    words = ("dead", "settle", delivery, "aktenzeichen=STK-2026-17", "--reason", "found by phone")

    would = desk.json(*words)
    assert (would["result"], would["dryRun"]) == ("selected", True)
    assert desk.store.delivery(delivery).state == "dead"

    done = desk.json(*words, "--yes")
    assert (done["result"], done["references"]) == ("settled", {"aktenzeichen": "STK-2026-17"})
    assert desk.store.delivery(delivery).state == "delivered"
    (found,) = desk.json("case", "find", "stk 2026 17")
    assert found["submissionId"] == done["submissionId"]

    late = desk.json(*words, "--yes", code=1)
    assert (late["result"], late["why"]) == ("skipped", "the dead letter is resolved, not open")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("aktenzeichen=1",), "a reason is missing"),
        (("--reason", "r"), "what does the department call the case"),
        (("aktenzeichen", "--reason", "r"), "write NAME=VALUE"),
    ],
)
def test_nothing_is_settled_without_reason_and_reference(desk: Desk, words: tuple[str, ...], told: str) -> None:
    delivery = desk.dies(dead(OutcomeUnknown("http.read_timeout")))
    code, _, complained = desk.type("dead", "settle", delivery, *words, "--yes")
    assert code == 2
    assert told in complained
    assert desk.store.delivery(delivery).state == "dead"
