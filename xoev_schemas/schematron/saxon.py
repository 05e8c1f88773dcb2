"""Run stylesheets with Saxon, with every way out of the message closed. Only ever imported in a worker process.

Saxon holds Python's lock while it works, prints errors (and so citizens' values) to stderr, and reserves tens of GiB of
address space: none of that belongs into the gateway's own process.
"""

from __future__ import annotations

import re
from typing import Any

from saxonche import PySaxonApiError, PySaxonProcessor

# https://www.saxonica.com/html/documentation12/configuration/config-features.html
_CLOSED = {
    "http://saxon.sf.net/feature/allowedProtocols": "",  # no file, no network: doc(), unparsed-text(), includes …
    "http://saxon.sf.net/feature/allow-external-functions": "false",  # nor the environment, nor xsl:result-document
    "http://saxon.sf.net/feature/disableXslEvaluate": "true",
    "http://saxon.sf.net/feature/parserFeature?uri=http%3A//apache.org/xml/features/disallow-doctype-decl": "true",
}


class NotCompilable(Exception):
    """The stylesheet number `index` has static errors; `reason` is Saxon's list of them."""

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        self.reason = reason
        super().__init__(index)


class Saxon:
    """One processor and the stylesheets that it has compiled, by key. For one thread."""

    def __init__(self) -> None:
        self._processor = PySaxonProcessor(license=False)
        for feature, value in _CLOSED.items():
            self._processor.set_configuration_property(feature, value)
        self._compiler = self._processor.new_xslt30_processor()
        self._compiled: dict[str, list[Any]] = {}

    def compile(self, key: str, stylesheets: list[bytes]) -> None:
        """Raises NotCompilable."""
        compiled: list[Any] = []
        for index, stylesheet in enumerate(stylesheets):
            try:
                compiled.append(self._compiler.compile_stylesheet(stylesheet_text=stylesheet.decode()))
            except PySaxonApiError as error:
                raise NotCompilable(index, str(error)) from None
        self._compiled[key] = compiled

    def run(self, key: str, document: bytes) -> list[bytes]:
        """The answer of each stylesheet of `key`; see `xoev_schemas.schematron.stylesheet`.

        `<failures error="CODE"/>` where one cannot be evaluated at all, or the message cannot be read.
        """
        try:
            tree = self._processor.parse_xml(xml_text=document.decode("utf-8-sig"))
        except PySaxonApiError as error:
            return [_broken(error)]
        return [self._answer(executable, tree) for executable in self._compiled[key]]

    def _answer(self, executable: Any, tree: Any) -> bytes:
        try:
            return str(executable.transform_to_string(xdm_node=tree)).encode()
        except PySaxonApiError as error:
            return _broken(error)


def _broken(error: PySaxonApiError) -> bytes:
    """Only the error's code (XPath's "unidentified" where Saxon names none): its sentence may repeat a value."""
    code = re.search(r"\b[A-Z]{4}[0-9]{4}\b", str(error))
    return f'<failures error="{code[0] if code else "FOER0000"}"/>'.encode()
