"""A department that reads a folder gets its cases like any other: once, whole, with their attachments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from city import city, dog_tax_packages, until

from adapters.testkit import FolderDepartment

TARGET = "eakte-stadtkasse"
REQUEST = """
request:
  bezug: {from: submissionId, required: true}
  anlagen:
    each: attachments
    make: {datei: {"$attachment": {from: attachmentId}}}
"""
AS_FOLDER = {
    "adapter": "folder",
    "ready": ".ok",
    "probe": {"done": ["erledigt/{key}"]},
    "repeatable": False,
} | dict.fromkeys(("openapi", "path", "references", "method", "auth"))


def packages_in(folder: Path) -> Path:
    """The dog tax with one target, which reads a folder."""
    packages = dog_tax_packages(folder, service={"targets": [TARGET]}, targets={TARGET: AS_FOLDER})
    (packages / "targets" / TARGET / "request.yaml").write_text(REQUEST, encoding="utf-8")
    return packages


def test_a_case_with_its_attachment_arrives_in_the_department_s_folder(tmp_path: Path) -> None:
    with city(tmp_path / "home", packages=packages_in(tmp_path / "packages")) as running:
        department = cast(FolderDepartment, running.departments[TARGET])

        submission_id = running.accepted(running.sample("exemption-with-evidence-xml"))

        delivery = running.in_state(submission_id, TARGET, "delivered")
        until(lambda: department.received != [], "the department to read")
        assert running.effects(TARGET, delivery.delivery_id) == [False]
        folder = department.folder / "erledigt" / delivery.delivery_id
        until(folder.is_dir, "the department to move it")
        manifest = json.loads((folder / "manifest.json").read_bytes())
        assert manifest["submissionId"] == submission_id
        [attachment] = [entry["name"] for entry in manifest["files"][1:]]
        body = json.loads((folder / "request.json").read_bytes())
        assert body == {"bezug": submission_id, "anlagen": [{"datei": attachment}]}
        assert department.refused == {}


def test_a_share_that_is_not_mounted_only_costs_time(tmp_path: Path) -> None:
    with city(tmp_path / "home", packages=packages_in(tmp_path / "packages")) as running:
        department = cast(FolderDepartment, running.departments[TARGET])
        department.go_down()

        submission_id = running.accepted()
        until(lambda: running.delivery(submission_id, TARGET).attempts > 0, "a first attempt")
        assert running.delivery(submission_id, TARGET).state != "delivered"
        department.come_up()

        running.in_state(submission_id, TARGET, "delivered")
        until(lambda: len(department.received) == 1, "the department to read")
