"""What a person may honestly do about a delivery of which nobody knows whether it arrived. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.commands.output import program
from gateway.packages.model import Contact
from gateway.store import DeadLetter
from xoev_schemas.findings import Text


@dataclass(frozen=True, slots=True)
class Choice:
    """One way on. command: what does it; None where a person has to ask first."""

    choice: Literal["arrived", "not_arrived", "ask"]
    text: Text
    command: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"choice": self.choice, "text": self.text.as_dict(), "command": self.command}


def choices(letter: DeadLetter, contact: Contact | None) -> Sequence[Choice]:
    """The three for an open dead letter of an unknown outcome; none for any other: there the outcome is known."""
    if letter.state != "open" or letter.failure != "unknown_outcome":
        return ()
    delivery = letter.delivery_id
    de, en = _whom(contact)
    return (
        Choice(
            "arrived",
            Text(
                "Der Vorgang ist beim Amt: Tragen Sie ein, wie er dort heißt. Er gilt dann als zugestellt.",
                "The department has the case: enter what it is called there. It then counts as delivered.",
            ),
            f"{program()} dead settle {delivery} aktenzeichen=… --reason … --yes",
        ),
        Choice(
            "not_arrived",
            Text(
                "Der Vorgang ist nicht beim Amt: Stellen Sie erneut zu. Die Anfrage trägt denselben Schlüssel und ist "
                "als mögliche Wiederholung gekennzeichnet.",
                "The department does not have the case: send again. The request has the same key and is marked as a "
                "possible repeat.",
            ),
            f"{program()} dead redrive {delivery} --may-repeat --reason … --yes",
        ),
        Choice(
            "ask",
            Text(
                f"Sie wissen es nicht: Fragen Sie {de} nach dem Schlüssel {delivery}. "
                "Bis dahin bleibt der Klärfall offen.",
                f"You do not know: ask {en} for the key {delivery}. The dead letter stays open until then.",
            ),
        ),
    )


def _whom(contact: Contact | None) -> tuple[str, str]:
    """Whom to ask, in both languages."""
    if contact is None:
        return "das Amt", "the department"
    ways = ", ".join(filter(None, (contact.phone, contact.email)))
    told = f"{contact.name} ({ways})" if ways else contact.name
    return told, told
