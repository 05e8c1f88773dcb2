"""The request that the dog tax system gets for the one message of the benchmarks, written down straight: every field of
it in its place, no mapping language, no intermediate case. A test holds it against what the gateway sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from lxml import etree

from gateway.services import shipped_folder
from tests.benchmarks.message import TARGET

NS = "{urn:fim-de:xfall:datenschema:xdf3}"
_ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<VorgangAnlegen xmlns="urn:beispiel:hundesteuer:1"><Vorgang>%s</Vorgang></VorgangAnlegen></s:Body></s:Envelope>'
)
_NAME = {"Familienname": "F60000000227V1.1.0", "Vornamen": "F60000000228V2.0.0"}
_TITLES = {"Doktorgrade": "F60000000229V2.0.0", "Geburtsname": "F60000000230V2.0.0"}
_ADDRESS = {
    "Strasse": "F60000000243V1.2.0",
    "Hausnummer": "F60000000244V1.2.0",
    "Postleitzahl": "F60000000246V1.1.0",
    "Ort": "F60000000247V2.2.0",
    "Zusatz": "F60000000248V1.1.0",
}
_CONTACT = {"Telefon": "F60000000240V1.1.0", "EMail": "F60000000242V1.1.0"}
_SEX = {"001": "M", "002": "W"}
_REASONS = {"001": "ANSCHAFFUNG", "002": "ZUZUG", "003": "GEBURT", "004": "TIERHEIM"}
_GROUNDS = {"001": "ASSISTENZHUND", "002": "RETTUNGSHUND", "003": "TIERHEIM", "004": "SOZIALLEISTUNG"}
_BREEDS = {"099": "Andere Rasse"}
_DATE, _PLACE = f"{NS}G60000000083V2.0.0", f"{NS}G60000000086V2.1.0"

Children = Mapping[str, etree._Element]


def request_schema() -> etree.XMLSchema:
    """The types of the target's WSDL."""
    wsdl = etree.parse(str(shipped_folder() / "targets" / TARGET / "HundesteuerService.wsdl"))
    schema = wsdl.find(".//{http://www.w3.org/2001/XMLSchema}schema")
    assert schema is not None
    return etree.XMLSchema(etree.fromstring(etree.tostring(schema)))  # with the prefixes declared around it


def request_of(delivery_id: str, received_at: str, root: etree._Element) -> bytes:
    """The SOAP message. received_at: RFC 3339, UTC with `Z`."""
    below = _children(root)
    keeper = _children(below[f"{NS}G99000000001V1.0.0"])
    contact = _children(keeper[f"{NS}G60000000183V2.0.0"])
    exemption = _children(below[f"{NS}G99000000004V1.0.0"])
    holder = _texts(_NAME, keeper) + _texts(_TITLES, keeper) + _tag("Geburtsdatum", _date(keeper[_DATE]))
    holder += _address(keeper) + _texts(_CONTACT, contact)
    parts = [
        _tag("FremdId", delivery_id) + _tag("Eingangszeitpunkt", received_at) + _tag("Test", "false"),
        _tag("Eingangsart", "NEU"),
        f"<Halter>{holder}</Halter>",
        *(f"<Hund>{_dog(_children(dog))}</Hund>" for dog in root.iterchildren(f"{NS}G99000000002V1.0.0")),
        _tag("Anmeldegrund", _REASONS[_text(below, "F99000000009V1.0.0")]),
        "<Befreiung>",
        _tag("Grund", _GROUNDS[_text(exemption, "F99000000011V1.0.0")]),
        _tag("Begruendung", _text(exemption, "F99000000012V1.0.0")),
        "</Befreiung>",
        _tag("ErklaertAm", _text(below, "F99000000017V1.0.0")),
    ]
    return (_ENVELOPE % "".join(parts)).encode()


def _dog(dog: Children) -> str:
    breed = _text(dog, "F99000000002V1.0.0")
    before = _children(dog[f"{NS}G99000000003V1.0.0"])
    return "".join(
        (
            _tag("Rufname", _text(dog, "F99000000001V1.0.0")),
            _tag("Rasseschluessel", breed) + _tag("Rasse", _BREEDS[breed]),
            _tag("Rassebeschreibung", _text(dog, "F99000000003V1.0.0")),
            _tag("Geschlecht", _SEX[_text(dog, "F99000000004V1.0.0")]),
            _tag("Farbe", _text(dog, "F99000000005V1.0.0")),
            _tag("Geburtsdatum", _date(dog[_DATE])),
            _tag("Chipnummer", _text(dog, "F99000000006V1.0.0")),
            _tag("AngeschafftAm", _text(dog, "F99000000007V1.0.0")),
            _tag("ZugezogenAm", _text(dog, "F99000000008V1.0.0")),
            f"<VorherigerHalter>{_texts(_NAME, before)}{_address(before)}</VorherigerHalter>",
        )
    )


def _children(element: etree._Element) -> Children:
    return {str(child.tag): child for child in element}


def _text(children: Children, name: str) -> str:
    return (children[NS + name].text or "").strip()


def _texts(names: Mapping[str, str], children: Children) -> str:
    return "".join(_tag(name, _text(children, source)) for name, source in names.items())


def _address(children: Children) -> str:
    return f"<Anschrift>{_texts(_ADDRESS, _children(children[_PLACE]))}</Anschrift>"


def _date(group: etree._Element) -> str:
    day, month, year = (int(child.text or "") for child in group)
    return f"{year:04}-{month:02}-{day:02}"


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"
