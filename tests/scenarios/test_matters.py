"""Matters: who goes first, what a target does with each kind, and what requests may read of earlier deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from city import DOG_TAX, City, Shape, city, dog_tax_packages, until

TARGET = "hundesteuer"
SUPPLEMENT = """request:
  aktenplan: Hundesteuer
  betreff: {concat: [Nachtrag zu, {from: references/aktenzeichen, required: true}], separator: " "}
  bezug: {from: [references/hundesteuer/vorgangsnummer, submissionId], required: true}
  eingangszeitpunkt: {from: receivedAt, as: datetime, required: true}
  test: {from: test, as: boolean}
"""
ALL_TARGETS = ("hundesteuer", "eakte-stadtkasse", "hundestatistik")


def sent(
    city: City,
    case_id: str | None = None,
    name: str = "one-dog-xml",
    kind: str | None = None,
    service: str = DOG_TAX,
) -> dict[str, str]:
    """Hand in a sample, into a matter or as a new one: the acceptance."""
    sample = city.sample(name, service)
    answer = city.portal.send(sample.data, sample.schema_uri, sample.attachments, case_id=case_id, kind=kind)
    assert answer.status == 202, answer.body
    return dict(answer.body)


@pytest.fixture(scope="module")
def running(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("order")
    kinds = {"kinds": {"supplement": {}, "withdraw": "skip"}}
    packages = dog_tax_packages(folder / "packages", targets=dict.fromkeys(ALL_TARGETS, kinds))
    (packages / "targets" / "eakte-stadtkasse" / "request-supplement.yaml").write_text(SUPPLEMENT, encoding="utf-8")
    with city(
        folder / "home", database_url=shape.database_url, broker_url=shape.broker_url, packages=packages
    ) as running:
        yield running


class TestWhoGoesFirst:
    def test_a_supplement_waits_visibly_until_the_first_is_delivered(self, running: City) -> None:
        # given: a first that died
        running.soap().tell("refuse", times=1)
        first = sent(running)
        running.in_state(first["submissionId"], TARGET, "dead")
        # when
        second = sent(running, first["caseId"], "year-of-birth-only-xml")
        waiting = running.in_state(second["submissionId"], TARGET, "waiting")
        # then: it says what it waits for, and has used up nothing
        assert (waiting.waits_for, waiting.behind, waiting.attempts) == ("order", first["submissionId"], 0)
        told = running.portal.status(second["submissionId"]).body["deliveries"]
        assert first["submissionId"] in {one.get("behind") for one in told}
        # when: the first is mended
        running.redrive(running.delivery(first["submissionId"], TARGET).delivery_id)
        # then: both arrive, in their order
        for one in (first, second):
            running.in_state(one["submissionId"], TARGET, "delivered")
        keys = [received.key for received in running.soap().received if not received.known]
        wanted = [running.delivery(one["submissionId"], TARGET).delivery_id for one in (first, second)]
        assert [key for key in keys if key in wanted] == wanted

    def test_only_the_target_that_lacks_the_first_makes_it_wait(self, running: City) -> None:
        running.soap().tell("refuse", times=1)
        first = sent(running)
        running.in_state(first["submissionId"], TARGET, "dead")
        second = sent(running, first["caseId"], "year-of-birth-only-xml")
        running.in_state(second["submissionId"], "eakte-stadtkasse", "delivered")
        assert running.in_state(second["submissionId"], TARGET, "waiting").behind == first["submissionId"]

    def test_when_the_first_is_given_up_the_supplement_becomes_a_dead_letter(self, running: City) -> None:
        running.soap().tell("refuse", times=1)
        first = sent(running)
        running.in_state(first["submissionId"], TARGET, "dead")
        second = sent(running, first["caseId"], "year-of-birth-only-xml")
        running.in_state(second["submissionId"], TARGET, "waiting")
        dead = running.delivery(first["submissionId"], TARGET).delivery_id
        running.gateway.store.discard([dead], actor="clerk", reason="withdrawn by phone").result()
        running.in_state(second["submissionId"], TARGET, "dead")
        letter = running.letter(second["submissionId"], target=TARGET)
        assert (letter.failure, letter.code, letter.attempts) == ("order", "order.first_given_up", 0)
        assert "verworfen" in letter.text.de
        assert "discarded" in letter.text.en

    def test_a_third_waits_for_the_second(self, running: City) -> None:
        running.soap().tell("refuse", times=1)
        first = sent(running)
        running.in_state(first["submissionId"], TARGET, "dead")
        second = sent(running, first["caseId"], "year-of-birth-only-xml")
        third = sent(running, first["caseId"], "year-of-birth-only-xml")
        until(
            lambda: running.delivery(third["submissionId"], TARGET).behind == second["submissionId"],
            "the third to wait for the second",
        )
        running.redrive(running.delivery(first["submissionId"], TARGET).delivery_id)
        running.in_state(third["submissionId"], TARGET, "delivered")
        assert running.delivery(second["submissionId"], TARGET).state == "delivered"


class TestARequestPerKind:
    def test_a_supplement_goes_by_its_own_request_and_operation_and_names_the_first_by_its_reference(
        self, running: City
    ) -> None:
        first = sent(running)
        running.ended(first["submissionId"])
        file_number = running.delivery(first["submissionId"], "eakte-stadtkasse").references["aktenzeichen"]
        second = sent(running, first["caseId"], "year-of-birth-only-xml")
        filed = running.in_state(second["submissionId"], "eakte-stadtkasse", "delivered")
        body = next(r.body for r in running.rest().received if r.key == filed.delivery_id)
        assert body["betreff"] == f"Nachtrag zu {file_number}"
        other = running.delivery(first["submissionId"], TARGET).references["vorgangsnummer"]
        assert body["bezug"] == other

    def test_what_a_target_skips_is_skipped_and_what_it_has_no_request_for_is_a_dead_letter(
        self, running: City
    ) -> None:
        first = sent(running)
        running.ended(first["submissionId"])
        withdrawn = sent(running, first["caseId"], kind="withdraw")
        running.in_state(withdrawn["submissionId"], TARGET, "skipped")
        changed = sent(running, first["caseId"], "year-of-birth-only-xml", kind="change")
        running.ended(changed["submissionId"])
        letter = running.letter(changed["submissionId"], target=TARGET)
        assert (letter.failure, letter.code) == ("mapping", "kind.no_request")
        assert "Art „change“" in letter.text.de
        assert "kind 'change'" in letter.text.en


class TestABuildingApplication:
    @pytest.mark.parametrize(
        ("follows", "told_as"),
        [("missing-site-plan-handed-in-xml", "AENDERUNG"), ("application-withdrawn-xml", "RUECKNAHME")],
    )
    def test_what_follows_goes_after_it_by_its_own_operation_and_under_its_number(
        self, home_with_standards: Path, follows: str, told_as: str
    ) -> None:
        with city(home_with_standards, services=("bauantrag",)) as running:
            first = sent(running, name="garage-without-telephone-xml", service="bauantrag")
            second = sent(running, first["caseId"], follows, service="bauantrag")
            going = [running.in_state(one["submissionId"], "bauaufsicht", "delivered") for one in (first, second)]
            received = [one for one in running.soap("bauaufsicht").received if not one.known]
        assert [one.key for one in received] == [delivery.delivery_id for delivery in going]
        created, following = (one.body["Vorgang"] for one in received)
        assert "Art" not in created
        assert (following["Art"], following["Vorgangsnummer"]) == (told_as, going[0].references["vorgangsnummer"])


class TestNames:
    def test_a_reference_is_found_however_it_is_typed(self, running: City) -> None:
        submission = sent(running)["submissionId"]
        running.ended(submission)
        known = running.delivery(submission, TARGET).references["vorgangsnummer"]
        store = running.gateway.store
        assert store.search(f"  {known.lower().replace('-', ' – ')} ") == [submission]

    def test_a_reference_that_comes_later_is_recorded_found_and_read_by_what_follows(self, running: City) -> None:
        first = sent(running)
        running.ended(first["submissionId"])
        store = running.gateway.store
        delivery = running.delivery(first["submissionId"], "eakte-stadtkasse").delivery_id
        noted = {"aktenzeichen": "AZ 7-42"}
        for _ in range(2):  # told twice it is there once
            store.matters.note(delivery, noted, actor="clerk", reason="by phone").result()
        assert store.search("az742") == [first["submissionId"]]
        assert store.verify_chain(first["submissionId"]) == []
        second = sent(running, first["caseId"], "year-of-birth-only-xml")
        filed = running.in_state(second["submissionId"], "eakte-stadtkasse", "delivered")
        body = next(r.body for r in running.rest().received if r.key == filed.delivery_id)
        assert body["betreff"] == "Nachtrag zu AZ 7-42"
