"""The WSDL that a target serves today, with what it imports, brought into a folder so that it can be read like ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

from lxml import etree

from adapters.http import on_the_host
from adapters.soap.wsdl import WsdlUnusable
from xoev_schemas.documents import Unreadable, parse_xml

MAX_DOCUMENTS = 200
"""A description that is made of more is not fetched: somebody made it without end."""

_LOCATIONS = {
    "{http://schemas.xmlsoap.org/wsdl/}import": "location",
    "{http://www.w3.org/2001/XMLSchema}import": "schemaLocation",
    "{http://www.w3.org/2001/XMLSchema}include": "schemaLocation",
    "{http://www.w3.org/2001/XMLSchema}redefine": "schemaLocation",
}


def bring(fetch: Callable[[str], bytes], url: str, folder: Path) -> Path:
    """The WSDL at `url` as a file, its locations leading to files beside it.

    Asks the target's own host only; a location elsewhere stays as it is, and is refused by who reads the file.
    Raises WsdlUnusable, and what `fetch` raises.
    """
    names = {url: "0.wsdl"}
    waiting = [url]
    while waiting:
        address = waiting.pop()
        try:
            root = parse_xml(fetch(address)).root
        except Unreadable as error:
            raise WsdlUnusable(f"{names[address]}: what is served is not readable XML ({error})") from None
        for element in root.iter(*_LOCATIONS):
            location = element.get(_LOCATIONS[str(element.tag)])
            found = urljoin(address, location) if location else ""
            if not found or on_the_host(url, found) is None:
                continue
            if found not in names:
                names[found] = f"{len(names)}.xsd"
                waiting.append(found)
            element.set(_LOCATIONS[str(element.tag)], names[found])
        if len(names) > MAX_DOCUMENTS:
            raise WsdlUnusable(f"the description is made of more than {MAX_DOCUMENTS} documents")
        (folder / names[address]).write_bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))
    return folder / names[url]
