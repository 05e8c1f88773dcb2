"""What came of the runs, as tables for a page and as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psycopg

from gateway.demo.servers import PostgresServer, RabbitNode
from tests.benchmarks.report import table, where
from tests.torture.run import Result
from tests.torture.seeded import FAULTS

BEGIN = "<!-- begin: written by make torture -->"
END = "<!-- end: written by make torture -->"


def tables(results: Sequence[Result], caught: Mapping[str, set[str]], versions: Sequence[str]) -> str:
    """caught: name of a seeded fault → invariants reported."""
    parts = ["### Runs", table(_runs(results)), "### What was done to it", table(_faults(results))]
    if skipped := _skipped(results):
        parts += ["Not done here:", skipped]
    if caught:
        parts += ["### Faults put into the program", table(_caught(caught))]
    parts += ["### Where", "\n".join(f"- {line}" for line in where(versions))]
    return "\n\n".join(parts) + "\n"


def figures(results: Sequence[Result], caught: Mapping[str, set[str]]) -> dict[str, Any]:
    return {
        "runs": [
            {
                "shape": r.plan.shape,
                "seed": r.plan.seed,
                "seconds": r.plan.seconds,
                "faults": dict(r.faults),
                "skipped": r.skipped,
                "messages": r.sent,
                "accepted": r.accepted,
                "refused": r.refused,
                "answers": r.answers,
                "deliveries": dict(r.deliveries),
                "sentAgainByOperator": r.died,
                "repeatsMarked": r.repeats,
                "violations": [{"invariant": v.invariant, "text": v.text} for v in r.violations],
            }
            for r in results
        ],
        "seeded": {name: sorted(names) for name, names in caught.items()},
    }


def write(page: Path, text: str) -> None:
    """Replace what stands between the markers. Raises ValueError where they are missing."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the tables: {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def server_versions(postgres: PostgresServer, rabbit: RabbitNode) -> list[str]:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    overview = httpx.get(f"{rabbit.management_url}/api/overview", timeout=10).json()
    return [f"PostgreSQL {str(row[0]).split()[0] if row else '?'}", f"RabbitMQ {overview['rabbitmq_version']}"]


def _runs(results: Sequence[Result]) -> list[list[str]]:
    head = ["shape", "seeds", "runs", "minutes", "faults", "messages", "accepted", "refused", "deliveries"]
    rows = [[*head, "sent again by a person", "marked repeats", "violations"]]
    for shape in dict.fromkeys(r.plan.shape for r in results):
        own = [r for r in results if r.plan.shape == shape]
        seeds = [r.plan.seed for r in own]
        sums = (
            sum(sum(r.faults.values()) for r in own),
            sum(r.sent for r in own),
            sum(r.accepted for r in own),
            sum(r.refused for r in own),
            sum(sum(r.deliveries.values()) for r in own),
            sum(r.died for r in own),
            sum(r.repeats for r in own),
            sum(len(r.violations) for r in own),
        )
        span = f"{seeds[0]}…{seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
        minutes = sum(r.plan.seconds for r in own) / 60
        rows.append([shape, span, str(len(own)), f"{minutes:.1f}", *map(str, sums)])
    return rows


def _faults(results: Sequence[Result]) -> list[list[str]]:
    shapes = list(dict.fromkeys(r.plan.shape for r in results))
    counts = {shape: Counter[str]() for shape in shapes}
    for result in results:
        counts[result.plan.shape] += result.faults
    kinds = sorted(set().union(*counts.values()))
    return [["fault", *shapes], *([kind, *(str(counts[shape][kind]) for shape in shapes)] for kind in kinds)]


def _skipped(results: Sequence[Result]) -> str:
    reasons = {(r.plan.shape, kind, why) for r in results for kind, why in r.skipped.items()}
    return "\n".join(f"- {shape}: {kind} ({why})" for shape, kind, why in sorted(reasons))


def _caught(caught: Mapping[str, set[str]]) -> list[list[str]]:
    rows = [["fault", "has to be reported as", "reported"]]
    for name, names in caught.items():
        wanted = FAULTS[name].reported
        rows.append([name, wanted or "nothing", ", ".join(sorted(names)) or "nothing"])
    return rows
