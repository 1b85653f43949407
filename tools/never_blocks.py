"""Checks the strace output of tests/c/never_blocks.c: between its marks the submitting thread makes no call that can wait."""

from __future__ import annotations

import re
from pathlib import Path

# Calls for memory and for the start of a thread. Every other call breaks the rule: sockets, files, sleeps.
HARMLESS = {
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "clone",
    "clone3",
    "rt_sigprocmask",
    "rt_sigaction",
    "getrandom",
    "sched_getaffinity",
}
COMMAND = ["strace", "-f", "-qq", "-s", "64"]
CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$")
BEGIN = re.compile(r'"begin: ([^"]*)"')
SECTIONS = 10
SHOWN = 10


def broken_rules(trace: Path) -> list[str]:
    """The calls that should not be; also if the trace shows less than it should."""
    section: str | None = None
    thread = ""
    sections = starts = wakes = 0
    wrong = []
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        found = CALL.match(line)
        if not found:
            continue
        caller, call, arguments = found.groups()
        mark = BEGIN.search(arguments) if call == "write" else None
        if mark:
            section, thread = mark.group(1), caller
            sections += 1
        elif section is None or caller != thread:
            continue
        elif call == "write" and '"end"' in arguments:
            section = None
        elif call == "futex" and "FUTEX_WAKE" in arguments:
            wakes += 1
        elif call in HARMLESS:
            starts += call in ("clone", "clone3")
        elif "resumed>" not in line:
            wrong.append(f"{section}: {line}")
    if sections != SECTIONS or section is not None:
        wrong.append(f"{sections} sections were seen instead of {SECTIONS}")
    # Each client's first submit starts the dispatcher, and many wake it.
    if not starts or not wakes:
        wrong.append(f"{starts} threads started and {wakes} woken: this is no trace of it")
    return wrong[:SHOWN]
