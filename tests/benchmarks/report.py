"""The figures as a page: ratios first, because absolute numbers depend on the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.checking import Checks
from tests.benchmarks.comparing import Measured, Plan
from tests.benchmarks.mapping import Mappings
from tests.benchmarks.message import message
from tests.benchmarks.steps import Steps

Table = Sequence[Sequence[str]]
"""Rows of cells; the first is the head."""

AIMS = {
    "accepting": 0.6,
    "end to end": 0.5,
    "parse, XSD and code lists": 0.8,
    "whole check, XBau": 0.8,
    "whole check, FIM": 0.8,
    "check with Schematron : bare Saxon": 0.8,
    "mapping": 3,
    "start with all standards : with none": 0.33,
}

_ABOUT = """\
Made by `make bench` (`.venv/bin/python -m tests.benchmarks --write PATH`). The bare loop (`tests/benchmarks/bare.py`)
is straight-line code that does the same work for this one message and writes the same rows as durably: token, hashes,
encryption, parse, XSD, group commit; then publish with confirms, consume, read back, the whole request, its types, one
SOAP call on a connection of its own (the target must not get anything twice, and a kept connection cannot promise
that), the answer's types, state rows. A test holds its request to be the very one that the gateway sends. It makes no
intermediate case, has no mapping language and does nothing that another message would need. Both ran by turns in the
same minutes. **Compare ratios; absolute numbers are indicative.**"""
_RATIOS = """\
*by rate*: the gateway's submissions per second divided by the bare loop's. *by CPU*: the bare loop's CPU time per
submission divided by the gateway's (servers of databases and queues not counted); steadier where others use the machine
too."""
_SPENT = """\
Each step alone, embedded, CPU of all its threads. *the rest* is what a running process needs beyond the sum: HTTP
server, framework, limits and headers, changes of threads and the wait for Python's lock (delivering: queue and outbox
too). A token is verified once and then remembered."""

_CHECK = """\
An XBau 2.6 message of 10 KiB with 25 codes and 10 attachments, and FIM data of 10 KiB; bare lxml parses and validates.
Parsing refuses every DOCTYPE and counts depth, elements and attributes; it leaves out the white space between elements,
which bare lxml keeps. The whole check is everything but business rules: beside the schema and its lists the header, the
parties, the names of attachments, documents in base64 and the normal form of all text."""

_MAPPING = """\
*ratio*: message → case → request, in units of bare lxml parsing the same message; lower is better. *of the way*: its
share of the CPU of all steps above, from the request of the portal to the outcome on disk."""

_INSTALLED = """\
The same message, with the rules of its standard: the whole check, all layers, in as many processes as bare Saxon, which
only parses and transforms; the gateway's own process needs a core beside them, so the ratio falls where others use the
machine. The start is a whole `gateway validate` of one message, with 17 standards and 228 code lists installed and with
none."""


def page(
    results: Mapping[str, Mapping[str, Measured]],
    steps: tuple[Steps, Steps],
    checks: tuple[Checks, Checks],
    mappings: Mappings,
    plan: Plan,
    versions: Sequence[str],
) -> str:
    """results: shape → side → figures. steps: of accepting and of delivering. checks: of messages, and of what
    installed standards cost; empty without test data. mappings: of messages. versions: of databases and queues.
    """
    parts = [
        "# Benchmarks",
        _ABOUT,
        "## Gateway : bare loop",
        table(ratios(results)),
        _RATIOS,
        "## Figures",
        table(figures(results)),
        f"Accepted/s and CPU with {plan.crowd} connections, latency with {plan.moderate}; a message of "
        f"{len(message()) / 1024:.1f} KiB; {plan.accept} accepted, {plan.deliver} delivered per turn, medians of "
        f"{plan.rounds} turns. *delivered/s* counts from the first request to the last outcome on disk, accepting "
        "included. Memory after the run.",
    ]
    parts += ["## What the time is spent on", table(spent(results, *steps)), _SPENT]
    one, installed = checks
    if one:
        parts += ["## The check against bare lxml", table(compared(one, "lxml µs")), _CHECK]
    parts += ["## Mapping against parsing", table(mapped(mappings, sum(us for half in steps for us in half.values())))]
    parts += [_MAPPING]
    if installed:
        parts += ["## What installed standards cost", table(compared(installed, "bare µs")), _INSTALLED]
    parts += ["## Where", "\n".join(f"- {line}" for line in where(versions))]
    return "\n\n".join(parts) + "\n"


def compared(checks: Checks, bare: str) -> Table:
    rows = [
        [what, f"{c['ratio']:.2f}", str(AIMS.get(what, "")), f"{c['us']:.0f}", f"{c['bare_us']:.0f}"]
        for what, c in checks.items()
    ]
    return [["what", "ratio", "aim", "µs", bare], *rows]


def mapped(mappings: Mappings, whole_us: float) -> Table:
    """whole_us: all steps of the way of the FIM message."""
    rows = [["message", "ratio", "aim", "case µs", "request µs", "lxml µs", "of the way"]]
    for what, m in mappings.items():
        share = f"{(m['case_us'] + m['request_us']) / whole_us:.0%}" if what == "FIM" else ""
        figures = (f"{m[name]:.0f}" for name in ("case_us", "request_us", "parse_us"))
        rows.append([what, f"{m['ratio']:.1f}", f"{AIMS['mapping']}", *figures, share])
    return rows


def ratios(results: Mapping[str, Mapping[str, Measured]]) -> Table:
    rows = [["shape", "what", "by rate", "by CPU", "aim"]]
    for shape, sides in results.items():
        gateway, bare = sides["gateway"], sides["bare"]
        rate = gateway.accept("per_second") / bare.accept("per_second")
        cpu = bare.accept("cpu_us") / gateway.accept("cpu_us")
        rows.append([shape, "accepting", f"{rate:.2f}", f"{cpu:.2f}", f"{AIMS['accepting']}"])
        rate = gateway.deliver("per_second") / bare.deliver("per_second")
        cpu = bare.deliver("cpu_us") / gateway.deliver("cpu_us")
        rows.append([shape, "end to end", f"{rate:.2f}", f"{cpu:.2f}", f"{AIMS['end to end']}"])
    return rows


def figures(results: Mapping[str, Mapping[str, Measured]]) -> Table:
    head = ["shape", "side", "accepted/s", "CPU µs", "p50 ms", "p99 ms", "generator busy"]
    rows = [[*head, "delivered/s", "CPU µs", "memory MiB"]]
    for shape, sides in results.items():
        for side, measured in sides.items():
            memory = measured.delivering[-1].rss_mib
            rows.append(
                [
                    shape,
                    side,
                    *(f"{measured.accept(name):.0f}" for name in ("per_second", "cpu_us", "p50_ms", "p99_ms")),
                    f"{measured.accept('generator_busy'):.0%}",
                    *(f"{measured.deliver(name):.0f}" for name in ("per_second", "cpu_us")),
                    ", ".join(f"{role} {mib:.0f}" for role, mib in memory.items()),
                ]
            )
    return rows


def spent(results: Mapping[str, Mapping[str, Measured]], accepting: Steps, delivering: Steps) -> Table:
    rows = [["half", "step", "CPU µs"]]
    rows += [["accept", name, f"{us:.0f}"] for name, us in accepting.items()]
    embedded = results.get("embedded")
    accept = embedded["gateway"].accept("cpu_us") if embedded else None
    if embedded and accept is not None:
        always = sum(us for name, us in accepting.items() if name != "token, first time")
        rows.append(["accept", "the rest", f"{accept - always:.0f}"])
    rows += [["deliver", name, f"{us:.0f}"] for name, us in delivering.items()]
    if embedded and accept is not None:
        rest = embedded["gateway"].deliver("cpu_us") - accept - sum(delivering.values())
        rows.append(["deliver", "the rest", f"{rest:.0f}"])
    return rows


def where(versions: Sequence[str]) -> list[str]:
    libraries = ("lxml", "cryptography", "uvicorn", "fastapi", "zeep", "httpx", "sqlalchemy", "psycopg", "pika")
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {_cores()} cores, {_memory_gib():.0f} GiB, "
        f"{platform.system()} {platform.release().partition('-')[0]}",
        ", ".join([f"Python {platform.python_version()}", *versions]),
        ", ".join(f"{name} {version(name)}" for name in libraries),
    ]


def table(rows: Table) -> str:
    """GitHub's Markdown, columns aligned so that it reads well on a terminal too."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _cores() -> int:
    return os.cpu_count() or 1


def _memory_gib() -> float:
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    return int(line.split()[1]) / 1024**2
