"""Who learns what: each field of a service's messages and case against the targets that it goes to.

Data is kept to what is needed (Art. 5 Abs. 1 lit. c DSGVO) where every mark in these tables has a reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.mapping.language import Object
from gateway.mapping.making import Making, Spot
from gateway.mapping.wording import condition_text
from gateway.packages.case_source import Given
from gateway.packages.enclosures import MESSAGE, encloses
from gateway.packages.handed import Share, handed_to
from gateway.packages.model import Accepts, Service, Target
from gateway.packages.origins import MessageField
from gateway.packages.recipients import hands_out_whole_case, recipients
from gateway.packages.source_names import Named
from gateway.packages.tracing import case_of, chosen, model_of
from gateway.services import Packages
from xoev_schemas.findings import Text
from xoev_schemas.model import Node, SchemaModel
from xoev_schemas.registry import Registry

_Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recipient:
    """when: it gets only the cases of which this holds. whole: it fetches the case itself, all of it."""

    target: str
    when: Text | None
    whole: bool


@dataclass(frozen=True, slots=True)
class DisclosedField:
    """A field of the case. sources: schema → the fields of its message that it is made from. to: names of targets."""

    path: str
    sources: Mapping[str, tuple[MessageField, ...]]
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisclosedAttachments:
    """shares: target → what of them it gets."""

    what: Text
    shares: Mapping[str, Share]


@dataclass(frozen=True, slots=True)
class Unread:
    """What a message may hold and nobody gets: a field, or a group with everything in it. in_case: it is in the case.
    decides: on it, or on something in it, depends what somebody gets.
    """

    schema: str
    path: str
    named: Named
    group: bool
    in_case: bool
    decides: bool


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Of one service, over all kinds of submissions. takes_attachments: False = it refuses them."""

    service: str
    recipients: tuple[Recipient, ...]
    fields: tuple[DisclosedField, ...]
    takes_attachments: bool
    attachments: tuple[DisclosedAttachments, ...]
    unread: tuple[Unread, ...]


def disclosures(packages: Packages, registry: Registry, services: Collection[str] = ()) -> list[Disclosure]:
    """services: names; empty = all that are active."""
    told = recipients(packages)
    return [
        _disclosure(service, [packages.targets[name] for name in service.targets], told[service.name], registry)
        for service in chosen(packages, services)
    ]


def _disclosure(
    service: Service, targets: list[Target], told: Mapping[str, list[str]], registry: Registry
) -> Disclosure:
    messages = [_Message(service, accepts, registry) for accepts in service.accepts if accepts.ref is not None]
    fields = {path: to for path, to in told.items() if path != "attachments"}
    return Disclosure(
        service.name,
        tuple(map(_recipient, targets)),
        tuple(
            DisclosedField(
                path, {m.schema: found for m in messages if (found := m.sources(path.split("/")))}, tuple(to)
            )
            for path, to in fields.items()
        ),
        service.attachments.max_count != 0,
        tuple(_attachments(service.name, targets)),
        tuple(one for message in messages for one in message.unread(fields, targets)),
    )


def _recipient(target: Target) -> Recipient:
    when = condition_text(target.when) if target.when is not None else None
    return Recipient(target.name, when, hands_out_whole_case(target))


def _attachments(service: str, targets: list[Target]) -> Iterator[DisclosedAttachments]:
    rows: dict[Text, dict[str, Share]] = {}
    for target in targets:
        for handed in (one for variant in target.variants() for one in handed_to(variant, service)):
            shares = rows.setdefault(handed.what, {})
            if shares.get(target.name) != "content":
                shares[target.name] = handed.share
    for what, shares in rows.items():
        yield DisclosedAttachments(what, shares)


class _Message:
    def __init__(self, service: Service, accepts: Accepts, registry: Registry) -> None:
        self.schema = accepts.schema
        self._service = service.name
        self._model: SchemaModel | None = model_of(accepts, registry)
        self._case, self._names = case_of(service, accepts, registry)

    def sources(self, field: list[str]) -> tuple[MessageField, ...]:
        return tuple(dict.fromkeys(MessageField.of(spot, self._names) for spot in self._spots(field)))

    def unread(self, fields: Mapping[str, Collection[str]], targets: Collection[Target]) -> Iterator[Unread]:
        """fields: of the case, with who gets them."""
        calls = [call for target in targets for call in target.variants()]
        requests = [request for call in calls if (request := call.request_for(self._service)) is not None]
        if self._model is None or any(encloses(request, MESSAGE) for request in requests):
            return
        reads: dict[_Place, bool] = {}
        for field, to in fields.items():
            for place in _places(self._spots(field.split("/"))):
                reads[place] = reads.get(place, False) or bool(to)
        weighed = frozenset(_places(self._weighed(targets)))
        for place, node in _not_received(self._model, (), [read for read, got in reads.items() if got]):
            yield Unread(
                self.schema,
                "/".join(place),
                self._names.named(place),
                node.kind == "group",
                any(_overlap(place, read) for read in reads),
                any(other[: len(place)] == place for other in weighed),
            )

    def _spots(self, field: list[str]) -> Iterator[Spot]:
        making = self._case.making
        return (spot for made in making.at(field) for spot in making.reads(made))

    def _weighed(self, targets: Collection[Target]) -> Iterator[Spot]:
        """What conditions look at: of the mapping, of the requests, of targets as a whole."""
        yield from self._case.making.weighed()
        for variant in (variant for target in targets for variant in target.variants()):
            mapping = variant.request_for(self._service)
            request = Making(mapping.root, self._case) if mapping is not None else None
            looked_at = list(request.weighed()) if request is not None else []
            if request is not None and variant.when is not None:
                looked_at += request.looked_at(variant.when, self._case.top())
            for node in (node for spot in looked_at for node in spot.nodes):
                # That a group is there says nothing about a single field of it.
                if not isinstance(node, Given) and not isinstance(node.template, Object):
                    yield from self._case.making.reads(node)


def _not_received(model: SchemaModel, above: _Place, got: Sequence[_Place]) -> Iterator[tuple[_Place, Node]]:
    """The outermost places that nothing of is received. got: those that are."""
    for name, node in (model.children(above) or {}).items():
        place = (*above, name)
        if name.startswith("@") or any(place[: len(read)] == read for read in got):
            continue
        if any(read[: len(place)] == place for read in got):
            yield from _not_received(model, place, got)
        else:
            yield place, node


def _places(spots: Iterable[Spot]) -> Iterator[_Place]:
    return (place for spot in spots for place in spot.places)


def _overlap(one: _Place, other: _Place) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one
