"""`gateway reconcile` as an operator types it: what a department has, held against what we know."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_backup_and_restore import Place, accept, new_place

from gateway.delivery import Dead, Delivered, Delivery
from gateway.store import AttemptStart, Claimed, Store
from xoev_schemas.findings import Text

__all__ = ["new_place"]


def tried(store: Store, outcome: Delivered | Dead | None) -> Delivery:
    """A delivery to `steuer` that was tried; None: nobody saw how it ended."""
    view = store.view(accept(store))
    delivery_id = next(one.delivery_id for one in view.deliveries if one.target == "steuer")
    claim = store.claim(delivery_id, "w", 60).result(30)
    assert isinstance(claim, Claimed)
    number = store.start_attempt(claim.delivery, AttemptStart("w", "v", "c", "r", False)).result(30)
    if outcome is not None:
        store.finish(claim.delivery, number, outcome).result(30)
    return claim.delivery


def delivered(reference: str) -> Delivered:
    return Delivered({"aktenzeichen": reference})


def unknown() -> Dead:
    text = Text("Ausgang ungeklärt.", "Unknown outcome.")
    return Dead(failure="unknown_outcome", code="tcp.reset", text=text, remedy=text)


@pytest.fixture
def place(new_place: Callable[[str], Place]) -> Place:
    return new_place("first")


def test_a_list_that_agrees_is_answered_with_zero(place: Place, tmp_path: Path) -> None:
    with place.store(create=True) as store:
        one, two = tried(store, delivered("STK-1")), tried(store, delivered("STK-2"))
        assert one.delivery_id != two.delivery_id
    listed = tmp_path / "list.csv"
    listed.write_text(f"key;aktenzeichen\n{one.delivery_id};STK-1\n;STK-2\n", encoding="utf-8")

    code, told = place.json("reconcile", "--target", "steuer", "--list", str(listed))

    assert (code, told["agrees"], told["differences"]) == (0, True, [])


def test_what_is_doubled_missing_foreign_or_unknown_is_told_with_the_command_that_may_settle_it(
    place: Place, tmp_path: Path
) -> None:
    with place.store(create=True) as store:
        twice, missing = tried(store, delivered("STK-1")), tried(store, delivered("STK-2"))
        arrived, not_arrived = tried(store, unknown()), tried(store, unknown())
        before = store.counts()
    listed = tmp_path / "list.json"
    listed.write_text(
        json.dumps(["STK-1", twice.delivery_id, {"key": arrived.delivery_id, "aktenzeichen": "STK-3"}, "STK-99"]),
        encoding="utf-8",
    )

    code, told = place.json("reconcile", "--target", "steuer", "--list", str(listed))

    assert code == 1
    found = {one["what"]: one for one in told["differences"]}
    assert {what: one["deliveryId"] for what, one in found.items()} == {
        "doubled": twice.delivery_id,
        "missing": missing.delivery_id,
        "not_delivered": arrived.delivery_id,
        "not_arrived": not_arrived.delivery_id,
        "not_known": None,
    }
    assert found["not_known"]["lines"] == [4]
    assert found["doubled"]["lines"] == [1, 2]
    assert f"dead settle {arrived.delivery_id} aktenzeichen=STK-3 " in found["not_delivered"]["command"]
    assert f"dead redrive {not_arrived.delivery_id} --may-repeat " in found["not_arrived"]["command"]
    assert found["missing"]["command"] is None
    with place.store() as store:
        assert store.counts() == before


def test_what_was_sent_before_the_list_begins_is_not_missing_in_it(place: Place, tmp_path: Path) -> None:
    with place.store(create=True) as store:
        tried(store, delivered("STK-1"))
    listed = tmp_path / "list.json"
    listed.write_text("[]", encoding="utf-8")

    later, _ = place.json("reconcile", "--target", "steuer", "--list", str(listed), "--since", "2099-01-01")
    earlier, _ = place.json("reconcile", "--target", "steuer", "--list", str(listed), "--since", "2020-01-01")

    assert (later, earlier) == (0, 1)


def test_a_backup_tells_what_a_restore_of_it_may_send_twice(place: Place, tmp_path: Path) -> None:
    with place.store(create=True) as store:
        still_open, gone = tried(store, None), tried(store, delivered("STK-1"))
        place.json("backup", str(tmp_path / "backup"), "--with-keys")
        store.finish(still_open, 1, delivered("STK-2")).result(30)

    code, told = place.json("reconcile", "--backup", str(tmp_path / "backup"))

    assert (code, told["counts"]) == (1, {"sent_since": 1})
    assert told["differences"][0]["deliveryId"] == still_open.delivery_id != gone.delivery_id


def test_a_backup_holds_what_an_older_one_that_was_restored_lacks(
    place: Place, new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    with place.store(create=True) as store:
        one = tried(store, None)
        place.json("backup", str(tmp_path / "older"), "--with-keys")
        store.finish(one, 1, delivered("STK-1")).result(30)
        lost = accept(store)
        place.json("backup", str(tmp_path / "newer"), "--with-keys")
    elsewhere = new_place("second")
    elsewhere.json("restore", str(tmp_path / "older"), "--yes")

    _, told = elsewhere.json("reconcile", "--backup", str(tmp_path / "newer"))

    assert told["counts"] == {"lost": 2, "undone": 1}
    assert {d["submissionId"] for d in told["differences"] if d["what"] == "lost"} == {lost}


@pytest.mark.parametrize("text", ["", "%PDF\x01\n", '{"a": 1}'])
def test_a_list_that_is_none_is_refused_with_its_form(place: Place, tmp_path: Path, text: str) -> None:
    with place.store(create=True) as store:
        tried(store, delivered("STK-1"))
    (tmp_path / "list").write_text(text, encoding="utf-8")

    code, told = place.json("reconcile", "--target", "steuer", "--list", str(tmp_path / "list"))

    assert (code, told["error"]["code"]) == (2, "bad_list")
