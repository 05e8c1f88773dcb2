"""The message as a report shows it: in lines, its parts told apart, its values hidden unless they are wanted.

A hidden character is `•`; blanks and line ends stay, so that lines and columns remain those of the file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from xoev_schemas.documents import is_xml

Kind = Literal["mark", "name", "attribute", "value"]
"""Markup and punctuation, names of elements and members, names of attributes, values. A comment's text is a value."""

HIDDEN = "•"
WIDEST = 240
"""Characters of one line that are shown; of a longer one, those around a place."""

# What is not ended goes on to the end of the text, and no value spans a `<`: every character is looked at once.
_XML = re.compile(
    r"(?P<note><!--(?:.*?-->|.*)|<\?(?:.*?\?>|.*)|<!(?!\[CDATA\[)[^<>]*>?)"
    r"|(?P<cdata><!\[CDATA\[(?:.*?\]\]>|.*))"
    r"|(?P<tag></?[^<>\s/\"']+(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*>)"
    r"|(?P<text>[^<]+|<)",
    re.DOTALL,
)
_IN_TAG = re.compile(
    r"(?P<mark></?|/?>|=|\s+)|(?P<value>\"[^\"]*\"|'[^']*')|(?P<name>[^\s<>=/\"']+)|(?P<rest>.)", re.DOTALL
)
_JSON = re.compile(
    r"(?P<name>\"(?:[^\"\\]|\\.)*\")(?=\s*:)|(?P<value>\"(?:[^\"\\]|\\.)*\"?|[^\s{}\[\]:,\"]+)|(?P<mark>[{}\[\]:,\s])",
    re.DOTALL,
)
_NOT_BLANK = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters of one kind, in one line."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or the part of it that is shown. cut: so many characters are left out in front (signs deducted)."""

    pieces: Sequence[Piece]
    cut: int


@dataclass(frozen=True)
class Source:
    """A message's bytes. show_values: they are shown as they are, else hidden."""

    data: bytes
    media_type: str
    show_values: bool = False

    @cached_property
    def _text(self) -> str:
        return (
            self.data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
        )

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self._text))]

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._starts) - int(self._text.endswith("\n") and len(self._starts) > 1)

    def lines(self, wanted: Mapping[int, int | None], widest: int = WIDEST) -> dict[int, Line]:
        """The lines that are wanted. wanted: number (from 1) → column that is shown of a line wider than `widest`."""
        windows = {
            number: self._window(number, wanted[number], widest) for number in sorted(wanted) if number <= self.count
        }
        pieces: dict[int, list[Piece]] = {number: [] for number in windows}
        for kind, start, end in self._runs(list(windows.values())):
            for number in range(bisect_right(self._starts, start), bisect_right(self._starts, max(start, end - 1)) + 1):
                if number in windows:
                    pieces[number].append(self._piece(kind, windows[number], start, end))
        return {number: self._line(number, window, pieces[number]) for number, window in windows.items()}

    def _ends(self, number: int) -> tuple[int, int]:
        """Where a line begins and ends, without its line end."""
        last = number == len(self._starts)
        return self._starts[number - 1], len(self._text) if last else self._starts[number] - 1

    def _window(self, number: int, column: int | None, widest: int) -> tuple[int, int]:
        begins, ends = self._ends(number)
        if ends - begins <= widest:
            return begins, ends
        widest -= 2  # for the signs that something is left out
        start = min(max(begins, begins + (column or 1) - 1 - widest // 3), ends - widest)
        return start, start + widest

    def _line(self, number: int, window: tuple[int, int], pieces: Sequence[Piece]) -> Line:
        begins, ends = self._ends(number)
        front = [Piece("mark", "…")] if window[0] > begins else []
        back = [Piece("mark", "…")] if window[1] < ends else []
        shown = [piece for piece in pieces if piece.text]
        return Line([*front, *shown, *back], window[0] - begins - len(front))

    def _piece(self, kind: Kind, window: tuple[int, int], start: int, end: int) -> Piece:
        text = self._text[max(start, window[0]) : min(end, window[1])]
        hide = kind == "value" and not self.show_values
        return Piece(kind, _NOT_BLANK.sub(HIDDEN, text) if hide else text)

    def _runs(self, windows: Sequence[tuple[int, int]]) -> Iterator[tuple[Kind, int, int]]:
        """(kind, start, end) of the runs of characters that touch the windows; none of a text in between."""
        waiting = iter(windows)
        window = next(waiting, None)
        pattern, runs_of = (_XML, _xml_runs) if is_xml(self.media_type) else (_JSON, _json_runs)
        for token in pattern.finditer(self._text):
            while window and token.start() >= window[1]:
                window = next(waiting, None)
            if window is None:
                return
            if token.end() > window[0]:
                yield from runs_of(token)


def _xml_runs(token: re.Match[str]) -> Iterator[tuple[Kind, int, int]]:
    if token.lastgroup == "tag":
        yield from _tag_runs(token.string, token.start(), token.end())
    elif token.lastgroup == "note":
        yield from _note_runs(token[0], token.start())
    else:
        yield "value", token.start(), token.end()


def _note_runs(note: str, start: int) -> Iterator[tuple[Kind, int, int]]:
    """A comment, an instruction, a document type: its ends are markup. Only the XML declaration holds no values."""
    front = next(len(sign) for sign in ("<!--", "<!", "<?") if note.startswith(sign))
    back = next((len(sign) for sign in ("-->", "?>", ">") if note.endswith(sign)), 0)
    ends = max(front, len(note) - back)
    yield "mark", start, start + front
    yield ("mark" if note.startswith("<?xml ") else "value"), start + front, start + ends
    yield "mark", start + ends, start + len(note)


def _tag_runs(text: str, start: int, end: int) -> Iterator[tuple[Kind, int, int]]:
    is_first = True
    namespace = False
    for part in _IN_TAG.finditer(text, start, end):
        if part.lastgroup == "name":
            yield ("name" if is_first else "attribute"), part.start(), part.end()
            namespace = not is_first and part[0].partition(":")[0] == "xmlns"
            is_first = False
        elif part.lastgroup == "value" and not namespace:
            yield "mark", part.start(), part.start() + 1
            yield "value", part.start() + 1, part.end() - 1
            yield "mark", part.end() - 1, part.end()
        else:
            yield "mark", part.start(), part.end()


def _json_runs(token: re.Match[str]) -> Iterator[tuple[Kind, int, int]]:
    kind: Kind = token.lastgroup if token.lastgroup in ("name", "value") else "mark"  # type: ignore[assignment]
    yield kind, token.start(), token.end()
