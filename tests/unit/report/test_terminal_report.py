"""What `gateway validate` writes to a terminal."""

from __future__ import annotations

import io

import pytest
from broken_messages import BIRTH, MESSAGE, checked
from rich.console import Console

from xoev_schemas.findings import Finding, Text
from xoev_schemas.report import Checked, Language, print_report


def printed(report: Checked, language: Language = "en", width: int = 100) -> str:
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=width, emoji=False), language)
    return stream.getvalue()


def test_a_report_names_verdicts_places_and_remedies_beside_the_line() -> None:
    assert printed(checked()) == (
        "✗ antrag.xml\n"
        "  not valid by the standard (xoev:muster/1.0) · not accepted by this gateway\n"
        "  antrag · 1 error, 1 warning, 1 note\n"
        "\n"
        '       3 │ <a:antrag xmlns:a="urn:a" nr="••••••••••">\n'
        "         │                           ▲\n"
        "  ! Warning: The number is long.  [schema.value]\n"
        "      Place: /antrag/@nr · line 3, column 27\n"
        "\n"
        "       5 │   <geburt>•••••••</geburt>\n"
        "         │   ▲\n"
        "  ✗ Error: The value of geburt does not have the required form.  [schema.value]\n"
        "      Place: /antrag/geburt · line 5, column 3\n"
        "      Found: 7 characters: letters, white space\n"
        "      Allowed: type <xs:date> & 'more'\n"
        "      To do: Correct the value.\n"
        "      Source: xoev:muster/1.0\n"
        "\n"
        "  i Note: Rules not evaluated.  [fim.rules_not_evaluated]\n"
        "\n"
    )


def test_the_same_in_german_has_no_english_word_in_it() -> None:
    report = printed(checked(BIRTH), "de")
    assert "nicht gültig nach dem Standard (xoev:muster/1.0) · wird von diesem Gateway nicht angenommen" in report
    assert "✗ Fehler: Der Wert von geburt hat nicht die verlangte Form." in report
    assert "Stelle: /antrag/geburt · Zeile 5, Spalte 3" in report
    assert "Gefunden: 7 Zeichen: Buchstaben, Leerraum" in report
    assert "Abhilfe: Berichtigen Sie den Wert." in report


def test_values_are_shown_only_if_that_is_wanted() -> None:
    assert "gestern" not in printed(checked())
    assert "<geburt>gestern</geburt>" in printed(checked(values=True))


@pytest.mark.parametrize(
    ("valid", "accepted", "sentence"),
    [
        (True, True, "✓ antrag.xml\n  valid by the standard (xoev:muster/1.0) · accepted by this gateway"),
        (True, False, "✓ antrag.xml\n  valid by the standard (xoev:muster/1.0) · not accepted by this gateway"),
        (False, True, "✗ antrag.xml\n  not valid by the standard (xoev:muster/1.0) · accepted by this gateway"),
        (None, False, "? antrag.xml\n  cannot be judged: no schema is installed · not accepted by this gateway"),
    ],
)
def test_valid_and_accepted_are_two_statements(valid: bool | None, accepted: bool, sentence: str) -> None:
    assert printed(checked(BIRTH, valid=valid, accepted=accepted)).startswith(sentence)


def test_markup_in_data_is_never_interpreted() -> None:
    odd = Finding("a.b", "error", "schema", Text("[red]x[/red]", "[red]x[/red]"), "/[bold]", 4, 3)
    assert "[red]x[/red]" in printed(checked(odd))
    message = MESSAGE.replace("gestern", "[red]:smile:")
    assert "[red]:smile:" in printed(checked(message=message, values=True))


def test_a_place_behind_the_end_of_the_message_is_told_with_the_whole_message() -> None:
    report = printed(checked(Finding("xml.x", "error", "parse", Text("x", "cut off"), "", 99, 1)))
    assert "│" not in report
    assert "Place: line 99, column 1" in report


def test_no_line_is_wider_than_the_terminal_and_none_ends_in_blanks() -> None:
    long = Finding("a.b", "error", "schema", Text("x", "word " * 60), "/a", 3, 27, allowed="x " * 100)
    lines = printed(checked(long, message=MESSAGE.replace("Geheimnis2", "y" * 400)), width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []
