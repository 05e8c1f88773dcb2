"""Values that stand wherever a person's data can stand, and the places where they must never turn up.

Every value carries one mark that occurs nowhere else in the world, so what is found is certain, wherever it lies and
whatever form it was brought into: as text, in JSON escapes, in base64.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from lxml import etree

from gateway.demo.samples import Sample
from gateway.portal import File


@dataclass
class Canaries:
    """Makes the values, and finds them. mark: of this run. digits: for fields of numbers, ten of them at their end;
    date: for fields of dates, of a year in which nothing else happens. planted: how many stand in fields of data.
    """

    mark: str = field(default_factory=lambda: f"Kv{secrets.token_hex(4)}")
    digits: str = field(default_factory=lambda: str(secrets.randbelow(9 * 10**9) + 10**9))
    date: str = "1913-04-17"
    planted: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def value(self) -> str:
        """A new one: letters and digits, as short as it can be, so that it fits into most fields."""
        return f"{self.mark}x{next(self._numbers)}"

    def found_in(self, data: bytes) -> str:
        """The first place in `data` with a mark, a little of what is around it; empty = there is none."""
        for mark in self._forms():
            at = data.find(mark)
            if at >= 0:
                return repr(data[max(0, at - 80) : at + 60])
        return ""

    def _forms(self) -> list[bytes]:
        """The mark as it is, folded, and as base64 has it at each of three offsets."""
        plain = self.mark.encode()
        encoded = [base64.b64encode(b"\0" * offset + plain)[(0, 2, 3)[offset] : -4] for offset in range(3)]
        texts = [plain, plain.lower(), plain.upper(), plain.hex().encode(), plain.decode().encode("utf-16-le")]
        return [*texts, *encoded, self.digits.encode(), self.date.encode()]

    def sample(self, sample: Sample, is_valid: Callable[[bytes, str], bool] | None = None) -> Sample:
        """The sample with a value in every field. is_valid: only where the schema takes it; None = blindly."""
        plant = self._into_xml if sample.data.media_type == "application/xml" else self._into_json
        data = plant(
            sample.data.content, (lambda _: True) if is_valid is None else lambda d: is_valid(d, sample.schema_uri)
        )
        attachments = tuple(
            File(
                f"{self.value()}-{file.name}",
                file.content + f"\n% {self.value()}\n".encode(),
                file.media_type,
                file.attachment_id,
                file.purpose,
            )
            for file in sample.attachments
        )
        name = f"{self.value()}-{sample.data.name}"
        return Sample(
            sample.name, sample.service, File(name, data, sample.data.media_type), sample.schema_uri, attachments
        )

    def _into_xml(self, data: bytes, fits: Callable[[bytes], bool]) -> bytes:
        root = etree.fromstring(data)
        for element in root.iter(etree.Element):
            if len(element) == 0 and element.text and element.text.strip():
                before = element.text
                for value in self._candidates(before):
                    element.text = value
                    if fits(etree.tostring(root)):
                        self.planted += 1
                        break
                else:
                    element.text = before
        return etree.tostring(root, encoding="utf-8", xml_declaration=True)

    def _into_json(self, data: bytes, fits: Callable[[bytes], bool]) -> bytes:
        root: Any = json.loads(data)
        for parent, key in list(_leaves(root)):
            before = parent[key]
            for value in self._candidates(before):
                parent[key] = value
                if fits(json.dumps(root).encode()):
                    self.planted += 1
                    break
            else:
                parent[key] = before
        return json.dumps(root).encode()

    def _candidates(self, before: str) -> list[str]:
        """What may stand in the place of a value, the most telling first."""
        value = self.value()
        numbers = [before[:-10] + self.digits] if before[-10:].isdigit() and len(before) >= 10 else []
        return [value, f"{value}@mail.example", *numbers, self.date]


def _leaves(node: Any) -> Iterator[tuple[Any, Any]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(entries):
        if isinstance(value, dict | list):
            yield from _leaves(value)
        elif isinstance(value, str):
            yield node, key


class Watched:
    """A folder for temporary files, looked at all the time: names and contents with a mark are kept in `found`."""

    def __init__(self, folder: Path, canaries: Canaries) -> None:
        self.found: list[str] = []
        self.looked = 0
        self._folder = folder
        self._canaries = canaries
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.02):
            self.found += files_with_marks(self._folder, self._canaries)
            self.looked += 1


def files_with_marks(folder: Path, canaries: Canaries) -> list[str]:
    """Files below `folder` that have a mark in their name or content."""
    found = []
    for parent, folders, files in os.walk(folder):  # unlike `rglob` it goes on when a folder is gone meanwhile
        for path in [Path(parent, name) for name in (*folders, *files)]:
            try:
                content = path.read_bytes() if path.is_file() else b""
            except OSError:
                content = b""  # gone meanwhile
            if told := canaries.found_in(str(path).encode()) or canaries.found_in(content):
                found.append(f"{path}: {told}")
    return found


def process_marks(pids: list[int], canaries: Canaries) -> list[str]:
    """Titles, arguments and environments of processes that have a mark."""
    found = []
    for pid in pids:
        for name in ("cmdline", "environ", "comm"):
            if told := canaries.found_in(Path(f"/proc/{pid}/{name}").read_bytes()):
                found.append(f"/proc/{pid}/{name}: {told}")
    return found


class Tap:
    """A copy of every message that is published or handed out in a virtual host (RabbitMQ's tracing), until it is
    taken. url: of the management API; vhost: its name.
    """

    def __init__(self, url: str, vhost: str) -> None:
        self._vhost = vhost
        self._http = httpx.Client(base_url=f"{url}/api/", timeout=30)
        self._ask("PUT", f"vhosts/{vhost}", {"tracing": True})
        self._ask("PUT", f"queues/{vhost}/tap", {"durable": False, "auto_delete": False})
        self._ask("POST", f"bindings/{vhost}/e/amq.rabbitmq.trace/q/tap", {"routing_key": "#", "arguments": {}})

    def messages(self) -> list[Mapping[str, Any]]:
        """All of them so far. Each: `routing_key` (`publish.EXCHANGE` or `deliver.QUEUE`), `properties`, `payload`."""
        asked = {"count": 100_000, "ackmode": "ack_requeue_false", "encoding": "base64"}
        return list(self._ask("POST", f"queues/{self._vhost}/tap/get", asked).json())

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> httpx.Response:
        answer = self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer


def queue_of(message: Mapping[str, Any]) -> str:
    """Where a traced message went to: the queue it was handed out from, or the routing keys it was published with."""
    kind, _, name = message["routing_key"].partition(".")
    keys = message["properties"].get("headers", {}).get("routing_keys", [])
    return name if kind == "deliver" else " ".join(map(str, keys))
