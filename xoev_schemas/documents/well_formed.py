"""Why a message is no well-formed XML, in words that help and repeat nothing of it.

libxml2's own sentences quote the document (names, entities, unclosed text); its error codes do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pyexpat import errors as expat

from lxml.etree import ErrorTypes

from xoev_schemas.findings import Text

_Words = tuple[Text, Text]
"""What is wrong, and what to do."""

_CUT: _Words = (
    Text(
        "Die Nachricht endet, bevor alle ihre Elemente geschlossen sind.",
        "The message ends before all of its elements are closed.",
    ),
    Text(
        "Senden Sie die ganze Nachricht; prüfen Sie, ob sie unterwegs abgeschnitten wurde.",
        "Send the whole message; check whether it was cut off on its way.",
    ),
)
_PLAIN: _Words = (
    Text(
        "An dieser Stelle steht ein & oder < als gewöhnliches Zeichen.", "An & or < stands here as a plain character."
    ),
    Text("Schreiben Sie &amp; statt & und &lt; statt <.", "Write &amp; for & and &lt; for <."),
)
_WORDS: Mapping[int, _Words] = {
    ErrorTypes.ERR_DOCUMENT_EMPTY: (
        Text("Die Nachricht ist leer oder beginnt nicht mit <.", "The message is empty, or does not begin with <."),
        Text("Prüfen Sie, ob die richtige Datei gesendet wurde.", "Check whether the right file was sent."),
    ),
    ErrorTypes.ERR_DOCUMENT_END: (
        Text("Hinter dem Ende der Nachricht steht noch etwas.", "Something stands behind the end of the message."),
        Text("Senden Sie genau ein Wurzelelement.", "Send exactly one root element."),
    ),
    ErrorTypes.ERR_TAG_NAME_MISMATCH: (
        Text(
            "Ein Element wird unter einem anderen Namen geschlossen, als es geöffnet wurde.",
            "An element is closed by another name than it was opened by.",
        ),
        Text(
            "Schließen Sie jedes Element unter seinem Namen, das innerste zuerst.",
            "Close every element by its own name, the innermost first.",
        ),
    ),
    ErrorTypes.ERR_TAG_NOT_FINISHED: _CUT,
    ErrorTypes.ERR_GT_REQUIRED: _CUT,
    ErrorTypes.ERR_ATTRIBUTE_NOT_FINISHED: _CUT,
    ErrorTypes.ERR_CDATA_NOT_FINISHED: _CUT,
    ErrorTypes.ERR_NAME_REQUIRED: _PLAIN,
    ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: _PLAIN,
    ErrorTypes.ERR_LT_IN_ATTRIBUTE: _PLAIN,
    ErrorTypes.ERR_UNDECLARED_ENTITY: (
        Text(
            "An dieser Stelle steht ein benanntes Zeichen wie &nbsp;, das XML nicht kennt.",
            "A named character such as &nbsp; stands here that XML does not have.",
        ),
        Text(
            "Schreiben Sie das Zeichen selbst oder seine Nummer (&#160;).",
            "Write the character itself, or its number (&#160;).",
        ),
    ),
    ErrorTypes.ERR_INVALID_CHAR: (
        Text(
            "An dieser Stelle steht ein Steuerzeichen, das XML nicht erlaubt.",
            "A control character stands here that XML does not allow.",
        ),
        Text("Entfernen Sie Steuerzeichen aus den Texten.", "Remove control characters from texts."),
    ),
    ErrorTypes.ERR_ATTRIBUTE_REDEFINED: (
        Text("Ein Element hat dasselbe Attribut zweimal.", "An element has the same attribute twice."),
        Text("Entfernen Sie eines davon.", "Remove one of them."),
    ),
    ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: (
        Text("Ein Namensraum-Präfix ist nicht deklariert.", "A namespace prefix is not declared."),
        Text('Deklarieren Sie es: xmlns:PRÄFIX="…".', 'Declare it: xmlns:PREFIX="…".'),
    ),
}
_OTHERWISE: _Words = (
    Text(
        "Die Nachricht ist kein wohlgeformtes XML; sie ist an dieser Stelle fehlerhaft oder abgeschnitten.",
        "The message is not well-formed XML; at this place it is faulty or cut off.",
    ),
    Text("Prüfen Sie die Erzeugung der Nachricht.", "Check how the message is produced."),
)


_OF_EXPAT: Mapping[int, int] = {
    expat.codes[expat.XML_ERROR_SYNTAX]: ErrorTypes.ERR_DOCUMENT_EMPTY,
    expat.codes[expat.XML_ERROR_NO_ELEMENTS]: ErrorTypes.ERR_TAG_NOT_FINISHED,
    expat.codes[expat.XML_ERROR_UNCLOSED_TOKEN]: ErrorTypes.ERR_TAG_NOT_FINISHED,
    expat.codes[expat.XML_ERROR_UNCLOSED_CDATA_SECTION]: ErrorTypes.ERR_CDATA_NOT_FINISHED,
    expat.codes[expat.XML_ERROR_TAG_MISMATCH]: ErrorTypes.ERR_TAG_NAME_MISMATCH,
    expat.codes[expat.XML_ERROR_DUPLICATE_ATTRIBUTE]: ErrorTypes.ERR_ATTRIBUTE_REDEFINED,
    expat.codes[expat.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: ErrorTypes.ERR_DOCUMENT_END,
    expat.codes[expat.XML_ERROR_UNDEFINED_ENTITY]: ErrorTypes.ERR_UNDECLARED_ENTITY,
}


def reason(code: int | None) -> _Words:
    """code: of libxml2's error (`lxml.etree.ErrorTypes`)."""
    return _OTHERWISE if code is None else _WORDS.get(code, _OTHERWISE)


def reason_of_expat(code: int) -> _Words:
    """code: of expat's error (`pyexpat.errors`)."""
    return reason(_OF_EXPAT.get(code))
