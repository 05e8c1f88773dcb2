"""A case tried on a target without network: its `when`, its request mapping, and what its adapter makes of the request.

The adapter builds and checks the request as for a delivery (`adapters.base.Previews`); one that cannot show its
requests is given none, and the mapping alone is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.base import Adapter, DeliveryError, Previews, Request, RequestAttachment
from gateway.mapping.language import CompiledMapping, Object, Template
from gateway.mapping.problems import Place
from gateway.mapping.shapes import makers
from gateway.packages.model import Service, Target
from gateway.packages.steps import examples_of
from gateway.services import applies, map_request
from xoev_schemas.findings import Text

_SHOWN = 10
"""Faults of one request that are told."""
_REMEDY = Text("Berichtigen Sie die Zuordnung oder das Beispiel.", "Correct the mapping, or the sample.")
_SEE_REQUEST = Text(
    "Berichtigen Sie die Zuordnung; „gateway map DATEI --target ZIEL“ zeigt die Anfrage.",
    "Correct the mapping; `gateway map FILE --target TARGET` shows the request.",
)
_POINTER = re.compile(r"/(\S*):")
"""How adapters begin a fault of a request: JSON pointer, or XPath of the message."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What came out otherwise than a sample says, and where it says so. Samples hold made-up data: it may be shown."""

    text: Text
    place: Place
    remedy: Text = _REMEDY
    code: str = "sample.differs"


@dataclass(frozen=True, slots=True)
class Trial:
    """A target that a service delivers to. adapter: None = there is none of this name. ready: its settings fit."""

    target: Target
    adapter: Adapter | None
    ready: bool

    def faults(
        self, service: Service, case: Mapping[str, Any], attachments: Sequence[RequestAttachment]
    ) -> Iterator[Fault]:
        """Why this case would not become a request that the target takes; nothing if it would, or is not wanted."""
        mapping = self.target.request_for(service.name)
        if mapping is None or case["kind"] != self.target.kind:
            return
        for target, seen in examples_of(self.target, case):
            if not applies(target, seen):
                continue
            made = map_request(target, service.name, seen)
            if made.value is None:
                for finding in made.findings[:_SHOWN]:
                    yield self._fault(finding.text, Place(mapping.file, finding.line))
                continue
            wanted = [one for one in attachments if one.attachment_id in made.attachment_ids]
            yield from self._shown(mapping, _request(service, case, made.value, wanted))

    def close(self) -> None:
        if self.adapter is not None:
            self.adapter.close()

    def _shown(self, mapping: CompiledMapping, request: Request) -> Iterator[Fault]:
        adapter: object = self.adapter if self.ready else None
        if not isinstance(adapter, Previews):
            return
        try:
            adapter.preview(request)
        except DeliveryError as error:
            told = error.detail.splitlines() if error.failure != "bug" else []
            for line in told[:_SHOWN] or [error.code]:
                where = _POINTER.match(line)
                place = rule_at(mapping, re.split(r"[/.]", where[1])) if where else mapping.root.common.place
                at = f" (/{where[1]})" if where else ""
                de = f"Die Anfrage passt nicht zur Beschreibung des Ziels{at}."
                yield self._fault(Text(de, f"the request does not fit the target's description: {line}"), place)

    def _fault(self, text: Text, place: Place) -> Fault:
        name = self.target.label
        return Fault(
            Text(f"Ziel „{name}“: {text.de}", f"target {name}: {text.en}"), place, _SEE_REQUEST, "sample.no_request"
        )


def rule_at(mapping: CompiledMapping, steps: Sequence[str]) -> Place:
    """Where the mapping makes the member that a pointer leads to; the nearest rule above it where it makes none.

    Steps that no rule is named by (positions, the envelope of a message, namespaces) are passed over.
    """
    current: list[Template] = [mapping.root]
    place = mapping.root.common.place
    for step in steps:
        name = re.sub(r"\[\d+\]$|^\*$", "", step).rpartition(":")[2].rpartition("}")[2]
        inner = [made.members[name] for made in current if isinstance(made, Object) and name in made.members]
        if inner:
            place = inner[0].common.place
            current = [made for one in inner for made in makers(one)]
    return place


def sample_attachments(folder: Path, listed: Sequence[Mapping[str, Any]]) -> list[RequestAttachment]:
    """The attachments of a sample, as its case lists them, with the files that lie beside it."""
    return [
        RequestAttachment(
            one["attachmentId"],
            one["filename"],
            one["mediaType"],
            one["size"],
            one["sha512"],
            chunks=lambda file=folder / Path(one["filename"]).name: iter((file.read_bytes(),)),
        )
        for one in listed
    ]


def _request(
    service: Service, case: Mapping[str, Any], body: Mapping[str, Any], attachments: Sequence[RequestAttachment]
) -> Request:
    return Request(
        key=case["submissionId"],
        submission_id=case["submissionId"],
        body=body,
        service=service.name,
        received_at=case["receivedAt"],
        test=case["test"],
        attachments=attachments,
    )
