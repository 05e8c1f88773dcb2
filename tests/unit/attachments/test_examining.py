"""A whole attachment from receipt to verdict; what a service and an installation may say about attachments."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from gateway.attachments.examining import Examiner
from gateway.attachments.rules import AttachmentRules
from gateway.attachments.scanning import Clean, Verdict
from gateway.errors import ConfigurationError
from gateway.packages.forms import AttachmentsForm
from gateway.services import Packages, shipped_folder
from gateway.settings import Settings
from gateway.store import KeyRing, Store
from gateway.submission import Attachment
from xoev_schemas.registry import Registry

MIB = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/gateway.db", keys=KeyRing({1: bytes(range(32))}), create=True)
    yield opened
    opened.close()


class Counting:
    """A scanner that finds nothing and says how much it was given."""

    def __init__(self) -> None:
        self.given = 0

    def scan(self, chunks: Iterable[bytes]) -> Verdict:
        self.given += sum(len(chunk) for chunk in chunks)
        return Clean()

    def ping(self) -> None: ...


def test_fifty_megabytes_are_received_and_examined_with_the_memory_of_a_few_chunks(store: Store) -> None:
    block = os.urandom(MIB)
    scanner = Counting()
    examiner = Examiner(scanner, lambda: datetime.now(UTC), lambda _: None)

    tracemalloc.start()
    content = store.new_content("00000000-0000-4000-8000-000000000001")
    writer = content.part("attachment:a1", "application/pdf")
    writer.write(b"%PDF-1.7\n")
    for _ in range(50):
        writer.write(block)
    part = writer.close()
    seen = examiner.examine(
        [Attachment("a1", "plan.pdf", "application/pdf", "attachment", part)], AttachmentRules(), content.read
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (seen.findings, seen.waits) == ([], False)
    assert scanner.given == part.size == 50 * MIB + 9
    assert peak < 16 * MIB


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 5])
def test_what_was_received_is_read_back_exactly_before_it_is_accepted(store: Store, size: int) -> None:
    sent = os.urandom(size)
    content = store.new_content("00000000-0000-4000-8000-000000000002")
    content.write_part("data", "application/xml", os.urandom(2 * MIB))
    content.write_part("attachment:a1", "application/pdf", sent)
    content.write_part("attachment:a2", "application/pdf", b"another")

    assert b"".join(content.read("attachment:a1")) == sent


# ------------------------------------------------------------------------------------------- what may be configured


@pytest.mark.parametrize(
    "url", ["", "clamd://127.0.0.1:3310", "clamd://av", "clamd:/run/clamd.ctl", "icap://[::1]:1344/scan", "icap://av/a"]
)
def test_a_scanner_is_named_by_its_address(url: str) -> None:
    assert Settings(scanner=url).scanner == url


@pytest.mark.parametrize(
    "url",
    ["clamav.example:3310", "clamd:", "clamd://av:99999", "clamd://av/x", "icap://av", "icap:///x", "http://av/x"],
)
def test_an_address_that_leads_to_no_scanner_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValidationError, match="scanner"):
        Settings(scanner=url)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"allow": ["pdf"]}, "application/pdf"),
        ({"max_bytes": 0}, "greater than or equal to 1"),
        ({"max_count": -1}, "greater than or equal to 0"),
        ({"alow": []}, "alow"),
    ],
)
def test_a_slip_in_a_service_is_found_with_its_line_and_what_is_meant(
    tmp_path: Path, rules: dict[str, object], told: str
) -> None:
    shipped = shipped_folder() / "services" / "hundesteuer-anmeldung"
    own = tmp_path / "packages" / "services" / "hundesteuer-anmeldung"
    shutil.copytree(shipped, own)
    file = own / "service.yaml"
    values = {**yaml.safe_load(file.read_text(encoding="utf-8")), "attachments": rules}
    file.write_text(yaml.safe_dump(values), encoding="utf-8")

    with pytest.raises(ConfigurationError) as error:
        Packages.load([tmp_path / "packages"], Registry(tmp_path / "schemas"))

    faults = [f for f in error.value.findings if f.path == str(file)]
    assert any(told in (f.text.en + f.remedy.en) and f.line for f in faults), faults


def test_media_types_may_be_written_as_they_come() -> None:
    assert AttachmentsForm(allow=["Image/JPG", "text/xml; charset=utf-8"]).allow == ["image/jpeg", "application/xml"]
