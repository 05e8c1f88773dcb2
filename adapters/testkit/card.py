"""The report card of an adapter: its contract and every misbehaviour, a row each (needs pytest)."""

from __future__ import annotations

import importlib
import sys
import tempfile
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import pytest

from adapters.testkit.contract import AdapterContract, Rig
from adapters.testkit.hostile import Row, bounded, trials_of, try_adapter
from adapters.testkit.rigs import RIGS

CONTRACT_LIMIT = 30.0
"""Seconds for one test of the contract."""

_WHY = "Every delivery depends on it: the gateway decides by nothing else."
_REMEDY = "The test of this name in adapters/testkit/contract.py says it exactly; docs/explanation/adapters.md, why."


class RigUnusable(Exception):
    """There is no such rig, or it does not work. The text says what to do."""


def find_rig(name: str) -> Rig:
    """That of a built-in adapter, or `module:function`, looked for in the working folder too. Raises RigUnusable."""
    module_name, colon, attribute = name.partition(":")
    if not colon:
        if name in RIGS:
            return RIGS[name]
        near = get_close_matches(name, RIGS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(RIGS)}, and your own as module:function"
        raise RigUnusable(f"there is no rig {name!r}; {hint}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise RigUnusable(f"{name!r} cannot be loaded: {error}") from error
    if not callable(found):
        raise RigUnusable(f"{name!r} is no function; a rig takes a folder and an authority, and yields a Bench")
    rig: Rig = found
    return rig


def card(rig: Rig) -> Iterator[Row]:
    """Row by row as they are found. Raises RigUnusable."""
    with tempfile.TemporaryDirectory() as made:
        try:
            yield from _rows(rig, Path(made))
        except Exception as error:  # the adapter's own are in the rows
            raise RigUnusable(f"the rig does not work: {type(error).__name__}: {error}") from error


def _rows(rig: Rig, folder: Path) -> Iterator[Row]:
    trials = trials_of(rig, _fresh(folder, "first"))
    for name in contract_tests():
        yield _contract_row(name, rig, _fresh(folder, name))
    for trial in trials:
        yield try_adapter(trial, rig, _fresh(folder, f"hostile-{trial.name}"))


def contract_tests() -> list[str]:
    """Names of the contract's tests, in the order in which they stand."""
    return [name for name in vars(AdapterContract) if name.startswith("test_")]


def _contract_row(name: str, rig: Rig, folder: Path) -> Row:
    does = name.removeprefix("test_").replace("_", " ")
    passed: bool | None = True
    fault = ""
    with rig(folder, None) as bench:
        try:
            bounded(lambda: getattr(AdapterContract(), name)(bench), CONTRACT_LIMIT)
        except pytest.skip.Exception as skipped:
            passed, fault = None, str(skipped)
        except TimeoutError:
            passed, fault = False, f"not over within {CONTRACT_LIMIT:.0f} s"
        except (Exception, pytest.fail.Exception) as error:
            passed, fault = False, _failure(error)
    return Row("contract", does, "", "", "", "", passed, fault, _WHY, _REMEDY)


def _failure(error: BaseException) -> str:
    """What went wrong: the line of the contract that did not hold, or the exception's kind. No text of foreign
    exceptions, which may repeat the application.
    """
    if isinstance(error, pytest.fail.Exception):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    line = next((f.line for f in reversed(frames) if f.filename.endswith("contract.py")), "")
    return f"does not hold: {line}" if isinstance(error, AssertionError) else f"{type(error).__name__} at: {line}"


def _fresh(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made
