"""What goes wrong while a mapping runs, as findings: they name the rule and the place in the result, never a value."""

from __future__ import annotations

from gateway.mapping.language import Common, Concat, Read
from gateway.mapping.paths import Path
from gateway.mapping.values import FunctionFailed, UnknownCode, WrongCharacters, WrongValue
from xoev_schemas.findings import Finding, Severity, Text, mask


def required(common: Common, target: str) -> Finding:
    text = Text(f"Für „{target}“ fehlt eine Angabe.", f"there is no value for '{target}', which is required.")
    remedy = Text(
        "Ergänzen Sie die Angabe, oder machen Sie die Zuordnung bedingt.",
        "Provide the value, or make the rule conditional.",
    )
    return _fault("mapping.required_missing", common, target, text, remedy)


def unusable(rule: Read | Concat, target: str, error: WrongValue, value: str) -> Finding:
    """error: says what would have been right. value: what was there; shown masked, and only where its form matters."""
    common, expected = rule.common, str(error)
    match error:
        case UnknownCode():
            text = Text(
                f"Der Code für „{target}“ steht nicht in der Codetabelle der Zuordnung.",
                f"the code for '{target}' is not in the mapping's table of codes.",
            )
            remedy = Text("Ergänzen Sie die Tabelle um diesen Code.", "Add the code to the table.")
            return _fault("mapping.code_unknown", common, target, text, remedy, allowed=expected)
        case WrongCharacters():
            text = Text(
                f"Der Wert für „{target}“ hat Zeichen, die das Ziel nicht darstellen kann: {expected}.",
                f"the value for '{target}' has characters that the target cannot represent: {expected}.",
            )
            remedy = Text("Klären Sie die Schreibweise.", "Find out how it is to be written.")
            return _fault("mapping.characters", common, target, text, remedy)
        case FunctionFailed():
            text = Text(
                f"Die Funktion für „{target}“ hat nichts Brauchbares ergeben ({expected}).",
                f"the function for '{target}' gave nothing usable ({expected}).",
            )
            remedy = Text("Prüfen Sie die Angabe und die Funktion.", "Check the value and the function.")
            return _fault("mapping.function", common, target, text, remedy)
        case _:
            kind = rule.kind if isinstance(rule, Read) else "text"
            text = Text(
                f"Der Wert für „{target}“ hat nicht die Form „{kind}“.",
                f"the value for '{target}' is not of the form '{kind}'.",
            )
            remedy = Text("Prüfen Sie die Angabe und die Zuordnung.", "Check the value and the rule's 'as'.")
            return _fault("mapping.type", common, target, text, remedy, allowed=expected, found=mask(value))


def several(common: Common, path: Path, target: str, count: int) -> Finding:
    text = Text(
        f"Für „{target}“ gibt es {count} Werte; übernommen wird nur der erste.",
        f"there are {count} values for '{target}'; only the first is taken.",
    )
    remedy = Text(
        f"Legen Sie mit „each“ oder mit „{path}[1]“ fest, was gemeint ist.",
        f"Say what is meant: 'each', or '{path}[1]'.",
    )
    return _fault("mapping.more_than_one", common, target, text, remedy, severity="warning")


def cut(common: Common, target: str, longest: int) -> Finding:
    text = Text(
        f"Der Wert für „{target}“ ist zu lang; übernommen werden {longest} Zeichen.",
        f"the value for '{target}' is too long; {longest} characters of it are taken.",
    )
    remedy = Text("Das vollständige Original liegt beim Fall.", "The case has the whole original.")
    return _fault("mapping.cut", common, target, text, remedy, severity="warning")


def _fault(
    code: str,
    common: Common,
    target: str,
    text: Text,
    remedy: Text,
    *,
    severity: Severity = "error",
    allowed: str | None = None,
    found: str | None = None,
) -> Finding:
    path = f"{common.place.label} {target}".rstrip()
    line = common.place.line
    return Finding(code, severity, "service", text, path, line, remedy=remedy, allowed=allowed, found=found)
