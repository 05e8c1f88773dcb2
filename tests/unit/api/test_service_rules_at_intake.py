"""A portal learns at once which of a service's own rules its message breaks."""

from __future__ import annotations

from intake_support import CANARY, Sender, code_of


def test_a_message_that_breaks_rules_of_the_service_is_refused_with_all_of_them(sender: Sender) -> None:
    before = sender.stored()

    answer = sender.send("rules-broken-json")

    assert code_of(answer) == (422, "not_valid")
    findings = answer.json()["findings"]
    assert [finding["code"] for finding in findings] == ["service.rule"] * 4
    assert all(finding["text"]["de"] and finding["remedy"]["de"] and finding["path"] for finding in findings)
    assert "DE8937040044053201300" not in answer.text
    assert CANARY not in answer.text
    assert sender.stored()["content_chunk"] == before["content_chunk"]


def test_a_warning_of_the_service_refuses_nothing(sender: Sender) -> None:
    answer = sender.send("two-dogs-partial-dates-json")

    assert answer.status_code == 202
    assert [finding["code"] for finding in answer.json()["findings"]] == ["service.rule"] * 2
