"""The table of failure points is whole, and every row of it is proven or says why it cannot happen."""

from __future__ import annotations

import ast
from pathlib import Path

from crash_rows import ABSENT, BOTH, ELSEWHERE, KILLS, POINTS, PROOFS, as_markdown, table

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_failure_point_has_a_row_in_both_shapes() -> None:
    rows = [*KILLS, *PROOFS, *ABSENT, *ELSEWHERE]
    there = {(row.f, shape) for row in rows for shape in row.shapes}
    assert there == {(point, shape) for point in POINTS for shape in BOTH}
    for row in table():
        print(f"{row['f']:4} {', '.join(row['shapes']):22} {row['moment']:52} {row['holds']}")


def test_every_row_that_is_proven_elsewhere_names_a_test_that_exists() -> None:
    for proof in PROOFS:
        file, words = proof.test
        assert any(words in name for name in functions(HERE / f"{file}.py")), proof
    for other in ELSEWHERE:
        file, name = other.test
        assert name in functions(ROOT / file), other


def test_every_point_at_which_it_is_killed_is_one_of_the_child() -> None:
    child = (HERE / "crash_child.py").read_text(encoding="utf-8")
    for kill in KILLS:
        assert f'"{kill.point.removesuffix(".before").removesuffix(".after")}"' in child, kill.point


def test_what_is_called_absent_is_absent() -> None:
    """A channel or command that has come to exist has to get its rows."""
    gone = {row.f for row in ABSENT if row.shapes == BOTH}
    assert ("F6" in gone) != (ROOT / "gateway" / "intake" / "fit_connect").exists()
    assert ("F26" in gone) != ('command("edit")' in (ROOT / "gateway" / "commands" / "operating.py").read_text())


def test_the_page_for_security_officers_has_this_table() -> None:
    page = (ROOT / "docs" / "explanation" / "how-nothing-is-lost.md").read_text(encoding="utf-8")
    assert as_markdown() in page, "put what crash_rows.as_markdown() gives into the page"
