"""The folder adapter over SFTP, at a real server: who it trusts, and what a lost connection means."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml
from sftp_server import PASSWORD, SftpServer

from adapters.base import OutcomeUnknown, Permanent, Request, RequestAttachment, Retryable, TargetConfig
from adapters.folder import FolderAdapter


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    (tmp_path / "sftp/eingang").mkdir(parents=True)
    (tmp_path / "sftp/eingang/.ozg-gateway").touch()
    with SftpServer(tmp_path / "sftp") as started:
        yield started


def adapter(server: SftpServer, *, timeout: float = 10.0, **settings: Any) -> FolderAdapter:
    values = server.settings("/eingang", **settings)
    return FolderAdapter(TargetConfig("t", "", values, probe={"done": ["erledigt/{key}"]}, timeout=timeout))


def request(key: str = "k1") -> Request:
    plan = RequestAttachment("a1", "plan.pdf", "application/pdf", 3, "", lambda: iter([b"ab", b"c" * 100_000]))
    return Request(key, "s1", {"name": "A"}, "hund", "2026-01-02T03:04:05Z", attachments=[plan])


def visible(server: SftpServer) -> set[str]:
    """Folders that a department sees."""
    return {entry.name for entry in (server.root / "eingang").iterdir() if not entry.name.startswith(".")}


def unfinished(server: SftpServer) -> list[Path]:
    return list((server.root / "eingang").glob(".ozg-part/*"))


def test_a_folder_arrives_whole(server: SftpServer) -> None:
    adapter(server).deliver(request())
    found = {file.name: file.stat().st_size for file in (server.root / "eingang/k1").iterdir()}
    assert found["a1-plan.pdf"] == 100_002
    assert set(found) == {"request.json", "a1-plan.pdf", "manifest.json"}
    assert unfinished(server) == []


def test_a_key_logs_in_instead_of_a_password(server: SftpServer) -> None:
    private = server.client_key.export_private_key(passphrase="w").decode()
    target = adapter(server, password=None, private_key=private, private_key_password="w")
    assert target.check() == []
    target.ping()
    assert server.logins == 1


def test_a_server_whose_key_has_changed_gets_nothing_not_even_the_password(
    server: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    # What the account itself trusts counts for nothing.
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{server.port} {server.host_key_line}\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(Permanent) as caught:
        adapter(server, host_keys=[other]).deliver(request())
    assert (caught.value.failure, caught.value.code) == ("auth", "sftp.host_key")

    # A key of another kind: the server, which has none such, hangs up as well, and whose word arrives first is open.
    another = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode().strip()
    with pytest.raises((Permanent, Retryable)) as refused:
        adapter(server, host_keys=[another]).deliver(request())
    assert refused.value.code in ("sftp.host_key", "sftp.unreachable")
    assert (server.logins, visible(server)) == (0, set())


def test_a_refused_login_is_permanent_and_tells_no_password(server: SftpServer) -> None:
    with pytest.raises(Permanent) as caught:
        adapter(server, password="geheim-4").ping()
    assert (caught.value.failure, caught.value.code) == ("auth", "sftp.login")
    assert "geheim" not in f"{caught.value} {caught.value.detail}"


def test_a_server_that_is_away_is_tried_again(server: SftpServer) -> None:
    server.close()
    for action in (lambda: adapter(server).deliver(request()), lambda: adapter(server).probe("k1")):
        with pytest.raises(Retryable) as caught:
            action()
        assert (caught.value.failure, caught.value.code) == ("unavailable", "sftp.unreachable")
    server.listen()
    adapter(server).deliver(request())


def test_a_server_that_says_nothing_holds_an_attempt_no_longer_than_its_time(server: SftpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"sftp://gateway@127.0.0.1:{silent.getsockname()[1]}/eingang"
        with pytest.raises(Retryable) as caught:
            adapter(server, url=url, timeout=0.3).deliver(request())
    assert caught.value.failure == "unavailable"


@pytest.mark.parametrize("fault", ["full", "forbidden"])
def test_a_server_that_cannot_take_it_now_keeps_nothing(server: SftpServer, fault: str) -> None:
    server.fault = fault
    with pytest.raises(Retryable) as caught:
        adapter(server).deliver(request())
    assert caught.value.failure == "unavailable"
    assert (visible(server), unfinished(server)) == (set(), [])
    server.fault = None
    adapter(server).deliver(request())


@pytest.mark.parametrize(("fault", "arrived"), [("cut_before_move", False), ("cut_after_move", True)])
def test_a_connection_lost_at_the_move_is_unknown_and_a_probe_tells(
    server: SftpServer, fault: str, arrived: bool
) -> None:
    server.fault = fault
    with pytest.raises(OutcomeUnknown):
        adapter(server).deliver(request())
    found = adapter(server).probe("k1")
    assert (found is not None) is arrived
    assert adapter(server).deliver(request()).already_there is arrived
    assert visible(server) == {"k1"}
    assert unfinished(server) == []


def test_links_on_the_server_are_not_followed(server: SftpServer) -> None:
    (server.root / "elsewhere/k1").mkdir(parents=True)
    (server.root / "eingang/erledigt").symlink_to(server.root / "elsewhere")
    assert adapter(server).probe("k1") is None
    (server.root / "eingang/k1").symlink_to(server.root / "elsewhere")
    with pytest.raises(Permanent) as caught:
        adapter(server).deliver(request())
    assert caught.value.code == "folder.key_reused"
    assert [entry.name for entry in (server.root / "elsewhere").iterdir()] == ["k1"]


def test_the_example_in_the_reference_is_a_target(tmp_path: Path, server: SftpServer) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/package-format.md").read_text(encoding="utf-8")
    section = page.partition("### Folder\n")[2]
    values = yaml.safe_load(section.partition("```yaml\n")[2].partition("```")[0])
    del values["adapter"], values["department"]
    probe = values.pop("probe")
    values["private_key"] = server.client_key.export_private_key().decode()
    (tmp_path / values["schema"]).write_text(
        '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema"><s:element name="a" type="s:string"/></s:schema>'
    )
    assert FolderAdapter(TargetConfig("t", str(tmp_path), values, probe=probe)).check() == []


def test_a_preview_shows_no_password(server: SftpServer) -> None:
    shown = adapter(server).preview(request())
    assert shown.address == f"sftp://gateway@127.0.0.1:{server.port}/eingang/k1/request.json"
    assert PASSWORD not in str(shown)
    assert server.logins == 0
