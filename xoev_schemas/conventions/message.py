"""A message as the conventions see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import cast

from lxml import etree

from xoev_schemas.conventions.header import Header, header_of
from xoev_schemas.documents import XmlDocument
from xoev_schemas.findings import Finding, Severity, Text
from xoev_schemas.places import Names, Places
from xoev_schemas.standards import Standard


@dataclass(frozen=True)
class Message:
    """data: what `document` was read from. standard: that judged it. now: with a time zone. names: which may be shown;
    None where the message is valid.
    """

    document: XmlDocument
    data: bytes
    standard: Standard
    now: datetime
    names: Names | None = None

    @property
    def root(self) -> etree._Element:
        return self.document.root

    @cached_property
    def header(self) -> Header | None:
        return header_of(self.root)

    @cached_property
    def _places(self) -> Places:
        return Places(self.root, self.names)

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
