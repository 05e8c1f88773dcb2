"""Settings of an installation laid over a target's own: one form, read whole at the start, each fault in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.settings import load_settings
from gateway.wiring import build_adapters, load_packages
from xoev_schemas.findings import Finding

SERVICE = "hundesteuer-anmeldung"


def written(folder: Path, targets: str) -> Path:
    file = folder / "gateway.yaml"
    file.write_text(f"home: {folder / 'var'}\nservices: [{SERVICE}]\ntargets:\n{targets}", encoding="utf-8")
    return file


def faults(folder: Path, targets: str) -> list[Finding]:
    """Those of reading the packages, else those of the adapters, as every start finds them."""
    with pytest.raises(ConfigurationError) as error:
        build_adapters(load_packages(load_settings(written(folder, targets)))[1])
    return error.value.findings


def test_an_installation_changes_single_values_and_keeps_the_rest(tmp_path: Path) -> None:
    # given
    file = written(
        tmp_path,
        "  hundesteuer:\n    url: http://127.0.0.1:9/x\n    timeout: 45s\n    retry: {give_up_after: PT12H}\n",
    )

    # when
    target = load_packages(load_settings(file))[1].targets["hundesteuer"]

    # then
    assert (target.config.settings["url"], target.config.timeout) == ("http://127.0.0.1:9/x", 45.0)
    assert target.config.settings["wsdl"] == "HundesteuerService.wsdl"
    assert (target.retry.delays[0], target.retry.give_up_after, target.retry.parallel) == (30.0, 43200.0, 4)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("retry: {delays: [30]}", "Write the unit: 30s, 30m, 30h or 30d."),
        ("retry: {delays: [abc]}", "Write a duration such as 30s"),
        ("retry: {delays: []}", "retry.delays"),
        ("retry: {delays: [0s]}", "greater than 0"),
        ("retry: {give_up_after: P1M}", "no fixed length"),
        ("retry: {parallel: 0}", "retry.parallel"),
        ("retry: {dellays: [1s]}", "Did you mean 'delays'?"),
        ("retry: [1s]", "retry"),
        ("retyr: {delays: [1s]}", "Did you mean 'retry'?"),
        ("timeout: 30", "Write the unit: 30s"),
        ("timeout: P1D", "less than or equal to 3600"),
        ("operatoin: VorgangAnlegen", "Did you mean 'operation'?"),
        ("tls: {ca_bundel: x.pem}", "Did you mean 'ca_bundle'?"),
        ("connect_timeout: 10", "write the unit: 10s"),
        ("url: ftp://example.org", "http"),
    ],
)
def test_a_wrong_one_is_refused_at_the_start_with_file_line_and_remedy(tmp_path: Path, line: str, says: str) -> None:
    found = faults(tmp_path, f"  hundesteuer:\n    {line}\n")

    assert {(fault.path, fault.line) for fault in found} == {(str(tmp_path / "gateway.yaml"), 5)}
    assert all(fault.remedy.de and fault.remedy.en for fault in found)
    assert any(says in f"{fault.text.en} {fault.remedy.en}" for fault in found), found


def test_a_target_that_does_not_exist_is_told_with_the_nearest_that_does(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "  eakte-stadtkase: {url: http://127.0.0.1:9/}\n")

    assert (fault.code, fault.line) == ("config.unknown_target", 4)
    assert fault.remedy.en == "Did you mean 'eakte-stadtkasse'?"


def test_a_fault_that_comes_from_the_environment_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TARGETS", '{"hundestatistik": {"retry": {"delays": [5]}}}')

    (fault,) = faults(tmp_path, "  hundesteuer: {timeout: 20s}\n")

    assert (fault.path, fault.line) == ("GATEWAY_TARGETS", None)
