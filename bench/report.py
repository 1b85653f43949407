"""The tables of a run, in markdown."""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
from pathlib import Path

from figures import Figures, number, table
from stages import QUEUE_METRICS, SUBJECTS

# What the project wants to reach: case, subject, metric, peer, at most. VENDORS and README name none of these.
RATIOS = [
    ("C send / libcurl, HTTP, wall", "unicast-100 http 1", "c", "wall p50", "libcurl", 1.00),
    ("C send / libcurl, TLS, wall", "unicast-100 https 1", "c", "wall p50", "libcurl", 0.95),
    ("C send / libcurl, HTTP, CPU", "unicast-100 http 1", "c", "cpu", "libcurl", 0.95),
    ("C send / libcurl, TLS, CPU", "unicast-100 https 1", "c", "cpu", "libcurl", 0.95),
    ("C send / floor, HTTP, wall", "unicast-100 http 1", "c", "wall p50", "floor", 2.2),
    ("Go / vendor's Go, HTTP, CPU", "unicast-100 http 1", "go", "cpu", "vendor-go", 0.6),
    ("Go / vendor's Go, HTTP, wall", "unicast-100 http 1", "go", "wall p50", "vendor-go", 0.8),
    ("Python / vendor's Python, HTTP, wall", "unicast-100 http 1", "python", "wall p50", "vendor-python", 0.10),
    ("libcurl / C, sends per CPU second, 16 threads, HTTP", "unicast-100 http 16", "libcurl", "sends per cpu second", "c", 1.0),
    ("libcurl / C, sends per CPU second, 16 threads, TLS", "unicast-100 https 16", "libcurl", "sends per cpu second", "c", 1.0),
    ("submit, 100,000 / 1,000 queued", "deep queue", "100000", "wall p50", "1000", 2.0),
    ("stats, 100,000 / 1,000 queued", "deep queue", "100000", "stats p50", "1000", 2.0),
    ("behind a full room, 100,000 / 1,000 queued", "deep queue", "100000", "behind a full room", "1000", 2.0),
    ("behind a busy client, 100,000 / 1,000 queued", "deep queue", "100000", "behind a busy client", "1000", 2.0),
    ("sign / its SHA-256 blocks", "sign 100 B", "rtcmsg", "sign", "its SHA-256 blocks", 1.5),
    ("sign / vendor's Go signer", "sign 100 B", "rtcmsg", "sign", "vendor-go", 1 / 3),
    ("sign / vendor's Python signer", "sign 100 B", "rtcmsg", "sign", "vendor-python", 1 / 30),
]  # fmt: skip
# Case, subject, metric, and the most or, if the sign is ">=", the least.
FIGURES = [
    ("connections of the C send, 16 threads, HTTP", "unicast-100 http 16", "c", "connections", "<=", 16),
    ("connections of the C send, 16 threads, TLS", "unicast-100 https 16", "c", "connections", "<=", 16),
    ("submit, idle, p50, us", "submit alone", "idle", "wall p50", "<=", 1),
    ("submit, idle, p99.9, us", "submit alone", "idle", "wall p99.9", "<=", 50),
    ("submit, network dead, p50, us", "submit alone", "dead", "wall p50", "<=", 1),
    ("submit, network dead, p99.9, us", "submit alone", "dead", "wall p99.9", "<=", 50),
    ("quota used at 500 a second, %", "quota 500 a second", "Volcengine RTC", "quota used", ">=", 96),
    ("quota used at 100 a second, %", "quota 100 a second", "Volcengine IM", "quota used", ">=", 96),
    ("quota used at 10 a second, %", "quota 10 a second", "ZEGO, test project", "quota used", ">=", 94),
    ("close(0) of 200,000 queued, each, us", "end of a queue, each", "200000", "close(0)", "<=", 1),
    ("stripped library, bytes", "library", "rtcmsg", "size", "<=", 2_750_000),
]  # fmt: skip


def markdown(figures: Figures, left_out: dict[str, str], given: argparse.Namespace) -> str:
    parts = [machine(given), *(f"Left out: {name}: {why}.\n" for name, why in left_out.items())]
    for head, text in (
        ("To reach", goals(figures)),
        ("Sends", sends(figures)),
        ("System calls and allocations of one warm send", calls(figures)),
        ("Signing a SendUnicast of 100 B", sign(figures)),
        ("Submit, us", submit(figures)),
        (
            "A deep queue: one submit and one snapshot in us, 400 messages to other rooms in ms",
            plain(figures, "deep queue", list(QUEUE_METRICS)),
        ),
        ("The end of a queue, us for each message", plain(figures, "end of a queue", ["close(0)", "free"])),
        ("Quota", plain(figures, "quota ", ["quota used", "throttled"])),
        ("Cold start: library loaded to first answer, us", plain(figures, "cold ", ["wall"])),
        ("Soak", plain(figures, "soak ", ["sends", "connections", "heap growth", "threads more", "descriptors more"])),
        ("Library", plain(figures, "library", ["size"])),
    ):
        if text:
            parts.append(f"## {head}\n\n{text}")
    return "\n".join(parts)


def machine(given: argparse.Namespace) -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)
    versions = [
        first_line("nginx", "-v"),
        first_line("curl-config", "--version"),
        first_line("go", "version"),
        f"Python {platform.python_version()}",
        first_line("rustc", "--version"),
    ]
    sha = "with" if re.search(r"\bsha_ni\b", info) else "without"
    marked = "**A quick run: it shows that everything runs, the figures mean little.** " if given.quick else ""
    return (
        f"{marked}{given.rounds} rounds; {model.group(1).strip() if model else platform.machine()}, {os.cpu_count()} cores, "
        f"{sha} SHA instructions; Linux {platform.release()}; {'; '.join(versions)}.\n"
    )


def first_line(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).splitlines()[0].removeprefix("nginx version: ")


def goals(figures: Figures) -> str:
    rows = []
    for name, case, subject, metric, peer, most in RATIOS:
        found = figures.ratios(case, subject, metric, peer)
        if found:
            middle = statistics.median(found)
            spread = f"{middle:.2f} ({min(found):.2f}–{max(found):.2f})"
            rows.append([name, f"at most {most:.2f}", spread, "yes" if middle <= most else "no"])
    for name, case, subject, metric, sign_of, limit in FIGURES:
        middle_or_none = figures.median(case, subject, metric)
        if middle_or_none is not None:
            reached = middle_or_none <= limit if sign_of == "<=" else middle_or_none >= limit
            words = f"at {'most' if sign_of == '<=' else 'least'} {number(limit)}"
            rows.append([name, words, figures.cell(case, subject, metric), "yes" if reached else "no"])
    return table(["what", "goal", "reached", ""], rows) if rows else ""


def sends(figures: Figures) -> str:
    parts = []
    heads = ["subject", "p50 us", "p99 us", "CPU us", "sends a CPU second", "peak KB", "connections"]
    heads += ["wall / floor", "wall / libcurl", "CPU / libcurl"]
    for case in cases(figures, "wall p99", SUBJECTS):
        rows = []
        for subject in SUBJECTS:
            if not figures.of(case, subject, "wall p50"):
                continue
            metrics = ("wall p50", "wall p99", "cpu", "sends per cpu second", "peak memory", "connections")
            cells = [figures.cell(case, subject, metric) for metric in metrics]
            ratios = [("wall p50", "floor"), ("wall p50", "libcurl"), ("cpu", "libcurl")]
            cells += [figures.ratio(case, subject, metric, peer) for metric, peer in ratios]
            rows.append([subject, *cells])
        what, scheme, threads = case.split()
        title = f"{what}, {'TLS' if scheme == 'https' else 'HTTP'}, {threads} thread{'s' if threads != '1' else ''}"
        parts.append(f"### {title}\n\n{table(heads, rows)}")
    return "\n".join(parts)


def calls(figures: Figures) -> str:
    rows = []
    for case in cases(figures, "system calls", SUBJECTS):
        for subject in SUBJECTS:
            if not figures.of(case, subject, "system calls"):
                continue
            names = [
                f"{metric.split(': ')[1]} {number(found[0])}"
                for (of, who, metric), found in figures.values.items()
                if (of, who) == (case, subject) and metric.startswith("system calls: ")
            ]
            metrics = ("system calls", "allocations", "allocated")
            rows.append([case, subject, *(figures.cell(case, subject, metric) for metric in metrics), ", ".join(names)])
    heads = ["case", "subject", "system calls", "allocations", "bytes allocated", "which calls"]
    return table(heads, rows) if rows else ""


def sign(figures: Figures) -> str:
    case = "sign 100 B"
    subjects = [who for (of, who, metric) in figures.values if of == case and metric == "sign"]
    rows = [
        [who, figures.cell(case, who, "sign"), figures.ratio(case, who, "sign", "its SHA-256 blocks")]
        for who in dict.fromkeys(subjects)
    ]
    return table(["signer", "ns", "/ its SHA-256 blocks"], rows) if rows else ""


def submit(figures: Figures) -> str:
    metrics = ["wall p50", "wall p99", "wall p99.9"]
    modes = [mode for mode in ("idle", "tick", "load", "dead") if figures.of("submit alone", mode, "wall p50")]
    rows = [[mode, *(figures.cell("submit alone", mode, metric) for metric in metrics)] for mode in modes]
    return table(["", "p50", "p99", "p99.9"], rows) if rows else ""


def plain(figures: Figures, prefix: str, metrics: list[str]) -> str:
    found = dict.fromkeys((case, who) for (case, who, _) in figures.values if case.startswith(prefix))
    rows = [[case, who, *(figures.cell(case, who, metric) for metric in metrics)] for case, who in found]
    return table(["", "", *metrics], rows) if rows else ""


def cases(figures: Figures, metric: str, subjects: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys(case for (case, who, of) in figures.values if of == metric and who in subjects))
