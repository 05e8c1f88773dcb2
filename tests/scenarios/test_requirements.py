"""What a service requires beside the form: below it an application is a dead letter, which a person may let pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from city import City, Shape, city, dog_tax_packages

TARGET = "hundesteuer"


@pytest.fixture(scope="module")
def strict(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("strict")
    packages = dog_tax_packages(
        folder / "packages", service={"requires": {"trust_level": "substantial", "payment": "none"}}
    )
    with city(
        folder / "home", database_url=shape.database_url, broker_url=shape.broker_url, packages=packages
    ) as running:
        yield running


def test_below_the_trust_level_an_application_is_taken_and_becomes_a_dead_letter(strict: City) -> None:
    accepted = strict.accepted()
    strict.ended(accepted)
    letter = strict.letter(accepted, target=TARGET)
    assert (letter.failure, letter.code) == ("requirement", "requirement.trust_level")
    assert "substanziell" in letter.text.de
    assert "substantial" in letter.text.en
    assert letter.attempts == 0
    assert not strict.effects(TARGET, letter.delivery_id or "")


def test_sent_again_without_a_word_it_is_judged_again(strict: City) -> None:
    submission = strict.accepted()
    strict.ended(submission)
    delivery = strict.delivery(submission, TARGET).delivery_id
    strict.redrive(delivery)
    strict.ended(submission)
    assert strict.delivery(submission, TARGET).code == "requirement.trust_level"


def test_a_person_may_let_it_pass_and_the_record_says_so(strict: City) -> None:
    submission = strict.accepted()
    strict.ended(submission)
    delivery = strict.delivery(submission, TARGET).delivery_id
    store = strict.gateway.store
    store.redrive([delivery], actor="clerk", reason="showed a passport", waive=True).result()
    strict.in_state(submission, TARGET, "delivered")
    told = [e["details"] for e in strict.view(submission).events if e["deliveryId"] == delivery]
    assert {"reason": "showed a passport", "redrive": True, "waived": True} in told
    assert store.verify_chain(submission) == []
