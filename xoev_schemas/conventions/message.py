"""A message as the conventions see it."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from lxml import etree

from xoev_schemas.conventions.header import header_of
from xoev_schemas.documents import XmlDocument
from xoev_schemas.findings import Finding, Severity, Text
from xoev_schemas.places import Names, Places
from xoev_schemas.standards import Standard


class Message:
    """A message that was judged, its header, and how to find fault with it. root, header: its parts."""

    def __init__(
        self, document: XmlDocument, data: bytes, standard: Standard, now: datetime, names: Names | None
    ) -> None:
        """data: what `document` was read from. standard: that judged it. now: with a time zone. names: which may be
        shown; None where the message is valid.
        """
        self.document = document
        self.root = document.root
        self.data = data
        self.standard = standard
        self.now = now
        self.header = header_of(document.root)
        self._names = names
        self._known_places: Places | None = None

    @property
    def _places(self) -> Places:
        if self._known_places is None:
            self._known_places = Places(self.root, self._names)
        return self._known_places

    def finding(
        self,
        code: str,
        severity: Severity,
        place: etree._Element,
        text: Text,
        remedy: Text,
        *,
        source: str,
        attribute: str = "",
        found: str | None = None,
        allowed: str | None = None,
    ) -> Finding:
        """code: in full, so that it can be looked for. attribute: of `place`, where that is what is meant."""
        return Finding(
            code=code,
            severity=severity,
            layer="convention",
            text=text,
            path=self._places.path(place) + (f"/@{attribute}" if attribute else ""),
            line=cast("int | None", place.sourceline),  # the stubs say float
            found=found,
            allowed=allowed,
            remedy=remedy,
            source=source,
        )
