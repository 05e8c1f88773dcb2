"""The sentences of findings about code lists, in both languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xoev_schemas.codelists.model import CodeList, is_invisible
from xoev_schemas.codelists.nearest import differs_in_writing_only
from xoev_schemas.findings import Finding, Text, mask

FEW_CODES = 12
_LABEL_LENGTH = 60
_DETAILS = "https://www.xrepository.de/details/"

# What may be repeated of a message's own words: nothing that does not look like the name of a list or a version.
_URI = re.compile(r"(?:urn:|https?://)[A-Za-z0-9:._/#%\-]{1,200}")
_VERSION = re.compile(r"[A-Za-z0-9._\-]{1,32}")


@dataclass(frozen=True, slots=True)
class At:
    """Where in the message, and by which standard."""

    path: str
    line: int | None
    source: str


# --- in a message --------------------------------------------------------------------------------------------------


def code_unknown(code: str, known: CodeList, near: Sequence[str], elsewhere: str | None, at: At) -> Finding:
    """near: codes that look like it, best first. elsewhere: another installed version of the list that has it."""
    what = Text("Der Code steht nicht in der Codeliste", "The code is not in the code list")
    if not code:
        what = Text(
            "Der Code fehlt; verlangt ist einer der Codeliste", "The code is missing; required is one of the list"
        )
    remedy = _use_a_code(known)
    if elsewhere is not None:
        remedy = _other_version(known, elsewhere)
    elif near and differs_in_writing_only(code, near[0], known.label(near[0]) or ""):
        remedy = _meant(near[0], known)
    named = _named(known)
    return Finding(
        code="codelist.code_unknown",
        severity="error",
        layer="codelist",
        text=Text(f"{what.de} {named.de}.", f"{what.en} {named.en}."),
        path=at.path,
        line=at.line,
        found=mask(code),
        allowed=_choice(known, near),
        remedy=remedy,
        source=f"{at.source}, {known.version_uri}",
    )


def code_invisible(sent: str, code: str, known: CodeList, at: At) -> Finding:
    """`code` is in the list; what was sent is it with characters that nobody sees."""
    named = _named(known)
    character = next(f"U+{ord(character):04X}" for character in sent if is_invisible(character))
    return Finding(
        code="codelist.code_unknown",
        severity="error",
        layer="codelist",
        text=Text(
            f"Der Code enthält ein unsichtbares Zeichen ({character}); so steht er nicht in der Codeliste {named.de}.",
            f"The code holds an invisible character ({character}); in this form it is not in the code list {named.en}.",
        ),
        path=at.path,
        line=at.line,
        found=f"{mask(sent)}, {character}",
        allowed=_choice(known, [code]),
        remedy=Text("Entfernen Sie das unsichtbare Zeichen.", "Remove the invisible character."),
        source=f"{at.source}, {known.version_uri}",
    )


def version_unknown(uri: str, version: str, installed: Sequence[str], count: int, at: At) -> Finding:
    named, shown = shown_uri(uri), shown_version(version)
    text = Text(
        f"Die Version {shown} der Codeliste {named} ist hier nicht installiert; {_unchecked(count).de}.",
        f"Version {shown} of the code list {named} is not installed here; {_unchecked(count).en}.",
    )
    remedy = _install(f"{uri}_{version}")
    if not version:
        text = Text(
            f"Zur Codeliste {named} nennt die Nachricht keine Version; {_unchecked(count).de}.",
            f"For the code list {named} the message names no version; {_unchecked(count).en}.",
        )
        remedy = Text(
            "Nennen Sie die Version im Attribut listVersionID.", "Name the version in the attribute listVersionID."
        )
    return _not_checked("codelist.version_unknown", text, remedy, shown, ", ".join(installed), at)


def list_unknown(uri: str, version: str, count: int, at: At) -> Finding:
    named = shown_uri(uri)
    text = Text(
        f"Die Codeliste {named} ist hier nicht installiert; {_unchecked(count).de}.",
        f"The code list {named} is not installed here; {_unchecked(count).en}.",
    )
    remedy = _install(f"{uri}_{version}" if version else uri)
    if not uri:
        text = Text(
            f"Die Nachricht nennt keine Codeliste; {_unchecked(count).de}.",
            f"The message names no code list; {_unchecked(count).en}.",
        )
        remedy = Text("Nennen Sie die Codeliste im Attribut listURI.", "Name the code list in the attribute listURI.")
    return _not_checked("codelist.list_unknown", text, remedy, named, None, at)


def more_code_findings(count: int, source: str) -> Finding:
    """The note that ends a list that was cut."""
    return Finding(
        code="codelist.more",
        severity="info",
        layer="codelist",
        text=Text(
            f"{count} weitere Beanstandungen von Codes sind nicht aufgeführt.",
            f"{count} more findings about codes are not listed.",
        ),
        remedy=Text("Beheben Sie zuerst die aufgeführten.", "Mend those listed first."),
        source=source,
    )


def shown_uri(uri: str) -> str:
    return uri if _URI.fullmatch(uri) else mask(uri)


def shown_version(version: str) -> str:
    return version if _VERSION.fullmatch(version) else mask(version)


def _not_checked(code: str, text: Text, remedy: Text, found: str, allowed: str | None, at: At) -> Finding:
    return Finding(
        code=code,
        severity="warning",
        layer="codelist",
        text=text,
        path=at.path,
        line=at.line,
        found=found,
        allowed=allowed,
        remedy=remedy,
        source=at.source,
    )


def _unchecked(count: int) -> Text:
    if count == 1:
        return Text("ein Code konnte nicht geprüft werden", "one code could not be checked")
    return Text(f"{count} Codes konnten nicht geprüft werden", f"{count} codes could not be checked")


def _named(known: CodeList) -> Text:
    title, entries = known.title or known.uri, len(known)
    return Text(
        f"„{title}“ ({known.uri}, Version {known.version}, {entries} {'Eintrag' if entries == 1 else 'Einträge'})",
        f"'{title}' ({known.uri}, version {known.version}, {entries} {'entry' if entries == 1 else 'entries'})",
    )


def _choice(known: CodeList, near: Sequence[str]) -> str | None:
    """`01 (E-Mail), 02 (Telefon)`: the whole list if it is short, else what is near, `…` where there is more."""
    codes = list(known.labels) if len(known) <= FEW_CODES else list(near)
    shown = ", ".join(_with_label(code, known) for code in codes)
    return f"{shown}, …" if codes and len(codes) < len(known) else shown or None


def _with_label(code: str, known: CodeList) -> str:
    label = known.label(code) or ""
    label = label if len(label) <= _LABEL_LENGTH else f"{label[:_LABEL_LENGTH]} …"
    return f"{code} ({label})" if label and label != code else code


def _meant(code: str, known: CodeList) -> Text:
    meant, general = _with_label(code, known), _use_a_code(known)
    return Text(f"Ist {meant} gemeint? {general.de}", f"Is {meant} meant? {general.en}")


def _use_a_code(known: CodeList) -> Text:
    return Text(
        f"Verwenden Sie einen Code dieser Liste: {_DETAILS}{known.version_uri}",
        f"Use a code of this list: {_DETAILS}{known.version_uri}",
    )


def _other_version(known: CodeList, elsewhere: str) -> Text:
    return Text(
        f"In der Version {elsewhere} der Liste gibt es diesen Code. Verwenden Sie einen Code der Version "
        f"{known.version} oder nennen Sie, wenn der Standard es zulässt, die andere Version im Attribut listVersionID.",
        f"Version {elsewhere} of the list has this code. Use a code of version {known.version} or, if the standard "
        "allows it, name the other version in the attribute listVersionID.",
    )


def _install(urn: str) -> Text:
    where = Text(f" ({_DETAILS}{urn})", f" ({_DETAILS}{urn})") if _URI.fullmatch(urn) else Text("", "")
    return Text(
        f"Prüfen Sie, ob die Nachricht Codeliste und Version richtig nennt{where.de}. Wenn ja, ist die Codeliste im "
        "Gateway zu installieren: gateway schemas import PFAD",
        f"Check that the message names list and version correctly{where.en}. If it does, the list has to be installed "
        "in the gateway: gateway schemas import PATH",
    )


# --- a file that is to be a code list ------------------------------------------------------------------------------


def is_no_code_list() -> Finding:
    return _refused(
        "codelist.not_a_list",
        Text(
            "Die Datei ist keine Codeliste: weder Genericode 1.0 noch die JSON-Form des XRepository.",
            "The file is no code list: neither Genericode 1.0 nor the XRepository's JSON form.",
        ),
        Text(
            "Laden Sie die Codeliste im XRepository als Genericode.", "Get the list from the XRepository as Genericode."
        ),
    )


def is_incomplete() -> Finding:
    return _refused(
        "codelist.incomplete",
        Text(
            "Der Codeliste fehlt die Kennung, die Version oder die Spalte, in der die Codes stehen.",
            "The code list lacks its URI, its version or the column that holds the codes.",
        ),
        Text("Laden Sie die Codeliste erneut vom Herausgeber.", "Get the list again from its publisher."),
    )


def is_a_placeholder(uri: str, version: str) -> Finding:
    return _refused(
        "codelist.no_entries",
        Text(
            f"Die Codeliste {uri} (Version {version}) hat keine Einträge; sie ist nur ein Platzhalter.",
            f"The code list {uri} (version {version}) has no entries: it is a placeholder.",
        ),
        Text("Warten Sie auf die Veröffentlichung der Liste.", "Wait until the list is published."),
    )


def _refused(code: str, text: Text, remedy: Text) -> Finding:
    return Finding(code=code, severity="error", layer="codelist", text=text, remedy=remedy)
