"""Reads folders of packages whole: every file, every cross-reference, every fault at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gateway.mapping.problems import Place, Problems
from gateway.mapping.tables import FOLDER
from gateway.mapping.yaml_nodes import Members, YamlNode, find
from gateway.packages.model import Client, Service, Target
from gateway.packages.readers import read_client, read_service
from gateway.packages.target_reader import read_target
from xoev_schemas.findings import Text

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry

Services = Mapping[str, tuple[Service, Members]]
Kind = TypeVar("Kind")
Written = Callable[[str, int], Place | None]
"""Where an entry of a list stands in the settings, by the setting's name and its index; None = unknown."""


def nowhere(_setting: str, _index: int) -> Place | None:
    """For packages that no settings name."""
    return None


def load(
    folders: Sequence[Path],
    registry: Registry,
    only: Sequence[str] = (),
    changes: Members | None = None,
    written: Written = nowhere,
) -> tuple[dict[str, Service], dict[str, Target], dict[str, Client]]:
    """Services, targets and clients by name. only: names of services; empty = all. changes: target → its overlay.
    written: where the settings say `folders` and `only`.

    Raises ConfigurationError with everything that is wrong.
    """
    problems = Problems()
    for index, folder in enumerate(folders):
        if not folder.is_dir():
            de, en = "Den Ordner mit Paketen „{}“ gibt es nicht.", "there is no folder of packages '{}'."
            text = Text(de.format(folder), en.format(folder))
            problems.add(written("packages", index) or Place(folder), "config.missing_folder", text)
    service_files = dict(_named(folders, "services", "*/service.yaml", problems))
    target_files = dict(_named(folders, "targets", "*/target.yaml", problems))
    client_files = dict(_named(folders, "clients", "*.yaml", problems))
    chosen = _chosen(service_files, only, written, problems)
    services = _present({name: read_service(name, file, registry, problems) for name, file in chosen.items()})
    used = {name for service, _ in services.values() for name in service.targets}
    overlaid = _overlaid(changes, target_files, problems)
    targets = _present(
        {
            name: read_target(name, file, service_files, registry, problems, overlaid.get(name))
            for name, file in target_files.items()
            # With a choice of services, a target that none of them uses is not this installation's business.
            if not only or name in used
        }
    )
    clients = _present({name: read_client(name, file, problems) for name, file in client_files.items()})
    _check_targets(services, target_files, targets, problems)
    _check_clients(clients, service_files, problems)
    problems.raise_if_any()
    return {name: _versioned(service, targets) for name, (service, _) in services.items()}, targets, clients


def _named(folders: Sequence[Path], kind: str, pattern: str, problems: Problems) -> Iterator[tuple[str, Path]]:
    """Packages of a kind in all folders, by name; the same name twice is a fault."""
    seen: dict[str, Path] = {}
    for folder in folders:
        for file in sorted((folder / kind).glob(pattern)):
            name = file.parent.name if "/" in pattern else file.stem
            if name in seen:
                text = Text(f"„{name}“ gibt es schon: {seen[name]}.", f"'{name}' exists already: {seen[name]}.")
                problems.add(Place(file), "config.duplicate_package", text)
            else:
                seen[name] = file
                yield name, file


def _chosen(files: dict[str, Path], only: Sequence[str], written: Written, problems: Problems) -> dict[str, Path]:
    for index, name in enumerate(only):
        if name not in files:
            place = written("services", index) or Place(Path("services"))
            problems.unknown(place, "config.unknown_service", Text("Die Leistung", "service"), name, files)
    return {name: file for name, file in files.items() if not only or name in only}


def _overlaid(changes: Members | None, files: Mapping[str, Path], problems: Problems) -> Mapping[str, YamlNode]:
    if changes is None:
        return {}
    for name in changes.nodes:
        if name not in files:
            problems.unknown(changes.keys[name], "config.unknown_target", Text("Das Ziel", "target"), name, files)
    return changes.nodes


def _present(found: Mapping[str, Kind | None]) -> dict[str, Kind]:
    return {name: value for name, value in found.items() if value is not None}


def _check_targets(
    services: Services, files: Mapping[str, Path], targets: Mapping[str, Target], problems: Problems
) -> None:
    """Every target that a service names exists and knows how to make its request."""
    for service, node in services.values():
        for index, name in enumerate(service.targets):
            if name not in files:
                place = find(node, ("targets", index))
                problems.unknown(place, "config.unknown_target", Text("Das Ziel", "target"), name, files)
            # A target without any request has been reported where its file is missing or unusable.
            elif name in targets and targets[name].requests and targets[name].request_for(service.name) is None:
                text = Text(
                    f"Für die Leistung „{service.name}“ fehlt request-{service.name}.yaml.",
                    f"for the service '{service.name}' there is no request-{service.name}.yaml.",
                )
                problems.add(Place(files[name]), "config.no_request", text)
            elif name in targets:
                _check_kinds(service, targets[name], problems)


def _check_kinds(service: Service, target: Target, problems: Problems) -> None:
    """For every kind that the service says it takes, the target has a request, or says that it skips it."""
    for kind in dict.fromkeys(accepts.kind for accepts in service.accepts if accepts.kind):
        variant = target.for_kind(kind)
        if target.skips(kind) or (variant is not None and variant.serves(service.name)):
            continue
        text = Text(
            f"Für Eingänge der Art „{kind}“, die die Leistung „{service.name}“ annimmt, fehlt eine Anfrage.",
            f"there is no request for the kind '{kind}', which the service '{service.name}' takes.",
        )
        remedy = Text(
            f"Legen Sie request-{kind}.yaml an, oder sagen Sie unter „kinds“, was gilt: {kind}: {{}} (wie bei neuen) "
            f"oder {kind}: skip.",
            f"Add request-{kind}.yaml, or say under `kinds` what holds: {kind}: {{}} (as for new ones), {kind}: skip.",
        )
        problems.add(target.place("kinds"), "config.no_request_for_kind", text, remedy=remedy)


def _check_clients(clients: Mapping[str, Client], services: Mapping[str, Path], problems: Problems) -> None:
    """No two clients look alike, and the services that they may send exist."""
    seen: dict[object, str] = {}
    for name, client in clients.items():
        token = (client.issuer, client.client_id) if client.client_id else None
        for setting, identity in (("client_id", token), ("certificate", client.certificate_sha256)):
            if identity is not None and identity in seen:
                text = Text(
                    f"„{name}“ und „{seen[identity]}“ weisen sich gleich aus.",
                    f"'{name}' and '{seen[identity]}' have the same identity.",
                )
                problems.add(client.place(setting), "config.same_identity", text)
            seen[identity] = name
        for index, service in enumerate(client.services or ()):
            if service not in services:
                what = Text("Die Leistung", "service")
                problems.unknown(client.place("services", index), "config.unknown_service", what, service, services)


def _versioned(service: Service, targets: Mapping[str, Target]) -> Service:
    """Of all files of the package, and of the code lists and functions that its mappings use. Samples do not count:
    they change nothing about what the package does.
    """
    own = (file for file in service.folder.rglob("*") if "samples" not in file.relative_to(service.folder).parts)
    variants = [variant for name in service.targets for variant in targets[name].variants()]
    requests = [variant.request_for(service.name) for variant in variants]
    tables = (file for mapping in requests if mapping for file in (mapping.file.parent / FOLDER).glob("*.*"))
    files = {*own, *(mapping.file for mapping in requests if mapping), *tables}
    digest = hashlib.sha256()
    for file in sorted((file for file in files if file.is_file()), key=lambda file: (file.parent.name, file.name)):
        content = file.read_bytes()
        digest.update(f"{file.parent.name}/{file.name}:{len(content)}\n".encode())
        digest.update(content)
    mappings = (*(accepts.compiled for accepts in service.accepts), *filter(None, requests))
    for used in sorted({used for mapping in mappings for used in mapping.uses}):
        digest.update(f"{used}\n".encode())
    return replace(service, version=digest.hexdigest()[:12])
