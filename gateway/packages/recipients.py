"""Who learns what: per service, every field of the case and the targets whose request reads it.

The table shows at a glance whether data is kept to what is needed (Art. 5 Abs. 1 lit. c DSGVO).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gateway.mapping.language import Attachments, Each, Object, Read, Template, children
from gateway.mapping.paths import Path
from gateway.mapping.shapes import makers
from gateway.packages.enclosures import MESSAGE, encloses
from gateway.packages.model import Service, Target

if TYPE_CHECKING:
    from gateway.services import Packages

Names = tuple[str, ...]


def recipients(packages: Packages) -> dict[str, dict[str, list[str]]]:
    """{service: {field: [targets]}}. Fields by path without positions, `applicants/person/familyName`; sorted."""
    return {
        service.name: _of_service(service, [packages.targets[name] for name in service.targets])
        for service in packages.services.values()
    }


def _of_service(service: Service, targets: Sequence[Target]) -> dict[str, list[str]]:
    fields = sorted({field for accepts in service.accepts for field in _leaves(accepts.compiled.root, ())})
    fields.append(("attachments",))
    read = {target.name: _read_by(service, target, fields) for target in targets}
    return {"/".join(field): sorted(name for name, got in read.items() if field in got) for field in fields}


def _leaves(template: Template, path: Names) -> Iterator[Names]:
    """Paths of the fields that a case mapping can fill."""
    for made in makers(template):
        if isinstance(made, Object):
            for name, member in made.members.items():
                yield from _leaves(member, (*path, name))
        elif path:
            yield path


def _read_by(service: Service, target: Target, fields: Sequence[Names]) -> set[Names]:
    """By the request of any kind of submission."""
    found: set[Names] = set()
    for variant in target.variants():
        mapping = variant.request_for(service.name)
        if hands_out_whole_case(variant):
            found.update(fields)
        elif mapping is not None:
            found.update(_reads(mapping.root, [()], fields))
            if encloses(mapping, MESSAGE):
                found.update(field for field in fields if field != ("attachments",))
    return found


def hands_out_whole_case(target: Target) -> bool:
    """A department that gets a reference instead of content fetches the case itself, and that is the whole of it."""
    return target.adapter == "amqp" and target.config.settings.get("content", "reference") != "inline"


def _reads(template: Template, here: list[Names], fields: Sequence[Names]) -> Iterator[Names]:
    if isinstance(template, Attachments):
        yield ("attachments",)
    elif isinstance(template, Read):
        for place in (place for path in template.paths for place in _places(path, here, fields)):
            # A group that is read gives away everything in it. What is made as a whole (an amount of money, an
            # attachment) is listed as a whole.
            yield from (field for field in fields if field[: len(place)] == place or place[: len(field)] == field)
    elif isinstance(template, Each):
        yield from _reads(template.make, _places(template.path, here, fields), fields)
    else:
        for child in children(template):
            yield from _reads(child, here, fields)


def _places(path: Path, here: list[Names], fields: Sequence[Names]) -> list[Names]:
    current: list[Names] = [()] if path.absolute else here
    for step in path.steps:
        if step.axis == "child":
            current = [(*place, step.name) for place in current]
        elif step.axis == "parent":
            current = [place[:-1] for place in current]
        elif step.axis == "descendant":
            below = {field[:end] for field in fields for end in range(1, len(field) + 1) if field[end - 1] == step.name}
            current = [found for place in current for found in sorted(below) if found[: len(place)] == place]
    # What a step that is made once per attachment reads of it, it reads of the attachments.
    return [("attachments", *place[1:]) if place[:1] == ("attachment",) else place for place in current]
