"""Files of packages before they are anywhere: drafted first, written when all of them are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from xoev_schemas.findings import Finding

Files = Mapping[str, bytes]
"""Path below the packages' folder → content."""


def put(files: Files, folder: Path) -> None:
    """Write them below `folder`. Raises OSError."""
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def relative(finding: Finding, folder: Path) -> Finding:
    """Of a file that lies in a scratch folder: with the path that it has in a draft."""
    return replace(finding, path=str(Path(finding.path).relative_to(folder)))
