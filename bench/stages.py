"""What is measured. Every stage runs its subjects in turn, round by round, so that the machine's weather hits all alike."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import Any

import messages
from build import Built
from figures import Figures
from server import ALL_CORES, CLIENT_CORES, Server

SUBJECTS = (
    "floor", "libcurl", "vendor-go", "vendor-python",
    "rust", "rust-submit", "c", "c-submit", "go", "go-submit", "python", "python-submit",
)  # fmt: skip
SCHEMES = ("http", "https")
THREADS = (1, 16)
# The vendor's SDKs have nothing of ZEGO.
WITHOUT_COMMAND = ("vendor-go", "vendor-python")
SAFETY_TIMEOUT_S = 1800
# Longer slices for slow subjects say nothing more; shorter ones of fast subjects would be all start-up.
LEAST_SENDS, MOST_SENDS = 320, 20000


class Failed(Exception):
    """A program did not do what it is for: the text says what."""


@dataclass
class Bench:
    built: Built
    server: Server
    figures: Figures
    given: argparse.Namespace
    problems: list[str] = field(default_factory=list)

    def environment(self, case: str = "unicast-100", scheme: str = "http") -> dict[str, str]:
        """Nothing of the host's own settings, all that a subject needs."""
        ours = re.compile(r"RTCMSG_|VOLC_|.*_proxy$|.*_PROXY$|BENCH_")
        kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
        request = self.built.work / f"{case}.{scheme}.request"
        if not request.exists() or self.host(scheme).encode() not in request.read_bytes():
            request.write_bytes(messages.raw(case, self.host(scheme)))
        ca = str(self.server.ca)
        trust = {"BENCH_CA": ca, "SSL_CERT_FILE": ca, "REQUESTS_CA_BUNDLE": ca, "CURL_CA_BUNDLE": ca}
        return kept | self.built.environment | trust | {"BENCH_REQUEST": str(request)}

    def host(self, scheme: str) -> str:
        return self.server.url(scheme).split("://")[1]

    def run(
        self,
        command: list[str],
        case: str = "unicast-100",
        scheme: str = "http",
        more: dict[str, str] | None = None,
        cores: set[int] = CLIENT_CORES,
    ) -> Any:
        """The figures in the line that a program prints."""
        env = self.environment(case, scheme) | (more or {})
        try:
            result = subprocess.run(
                command,
                env=env,
                cwd=self.built.work,
                capture_output=True,
                text=True,
                timeout=SAFETY_TIMEOUT_S,
                check=False,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
        except subprocess.TimeoutExpired as why:
            raise Failed(f"{' '.join(command)} ran longer than {SAFETY_TIMEOUT_S} s") from why
        if result.returncode != 0:
            raise Failed(f"{' '.join(command)}\n{result.stdout[-500:]}{result.stderr[-1500:]}")
        return json.loads(result.stdout.splitlines()[-1])

    def sending(self, subject: str, case: str, scheme: str, threads: int, count: int) -> list[str]:
        return [*self.built.programs[subject], case, self.server.url(scheme), str(threads), str(count)]

    def cases(self) -> list[str]:
        return list(self.given.cases.split(","))


def rotated(subjects: list[str], by: int) -> list[str]:
    """Not always in the wake of the same other."""
    by %= max(len(subjects), 1)
    return subjects[by:] + subjects[:by]


def sends(bench: Bench) -> None:
    """Every subject, case, scheme and number of threads."""
    wanted = bench.given.subjects.split(",") if bench.given.subjects else SUBJECTS
    for case in bench.cases():
        for scheme in SCHEMES:
            for threads in THREADS:
                subjects = [s for s in SUBJECTS if s in wanted and s in bench.built.programs]
                if case == "command-10":
                    subjects = [s for s in subjects if s not in WITHOUT_COMMAND]
                cell(bench, subjects, case, scheme, threads)


def cell(bench: Bench, subjects: list[str], case: str, scheme: str, threads: int) -> None:
    name = f"{case} {scheme} {threads}"
    counts: dict[str, int] = {}

    def send(subject: str, count: int) -> dict[str, float]:
        """No figures, and nothing more of this subject here, if it fails."""
        try:
            return dict(bench.run(bench.sending(subject, case, scheme, threads, count), case, scheme))
        except Failed as why:
            bench.problems.append(f"{subject}, {name}: {why}")
            counts.pop(subject, None)
            return {}

    for subject in subjects:
        tried = send(subject, LEAST_SENDS)
        if tried:
            fits = int(bench.given.slice * 1e9 / tried["wall_ns"])
            counts[subject] = min(max(fits, LEAST_SENDS), MOST_SENDS) // threads * threads
    for number in range(bench.given.rounds):
        for subject in rotated(list(counts), number):
            before = bench.server.accepted()
            found = send(subject, counts[subject])
            if not found:
                continue
            figures = {
                "wall p50": found["p50_ns"] / 1000,
                "wall p99": found["p99_ns"] / 1000,
                "wall": found["wall_ns"] / 1000,
                "cpu": found["cpu_ns"] / 1000,
                "sends per cpu second": 1e9 / found["cpu_ns"],
                "peak memory": found["peak_kb"],
                # The asking itself took one.
                "connections": bench.server.accepted() - before - 1,
            }
            for metric, value in figures.items():
                bench.figures.add(name, subject, metric, value)


# Two runs that differ by this many sends differ by what the sends took, and by nothing else.
FEW, MANY = 200, 1200


def calls(bench: Bench) -> None:
    """System calls and allocations of one warm send."""
    subjects = [s for s in ("floor", "libcurl", "c", "c-submit") if s in bench.built.programs]
    for case in bench.cases():
        for scheme in SCHEMES:
            for subject in subjects:
                name = f"{case} {scheme} 1"
                few, many = (system_calls(bench, subject, case, scheme, count) for count in (FEW, MANY))
                per_send = {call: (many[call] - few.get(call, 0)) / (MANY - FEW) for call in many}
                bench.figures.add(name, subject, "system calls", sum(per_send.values()))
                for call, count in per_send.items():
                    # What is not made once in a hundred sends is not part of one.
                    if count >= 0.01:
                        bench.figures.add(name, subject, f"system calls: {call}", round(count, 3))
                few_calls, few_bytes = allocations(bench, subject, case, scheme, FEW)
                many_calls, many_bytes = allocations(bench, subject, case, scheme, MANY)
                bench.figures.add(name, subject, "allocations", (many_calls - few_calls) / (MANY - FEW))
                bench.figures.add(name, subject, "allocated", (many_bytes - few_bytes) / (MANY - FEW))


def system_calls(bench: Bench, subject: str, case: str, scheme: str, count: int) -> dict[str, int]:
    counted = bench.built.work / "strace.txt"
    strace = ["strace", "--follow-forks", "--summary-only", f"--output={counted}"]
    bench.run([*strace, *bench.sending(subject, case, scheme, 1, count)], case, scheme)
    found: dict[str, int] = {}
    for line in counted.read_text().splitlines():
        columns = line.split()
        if len(columns) >= 5 and columns[3].isdigit() and columns[-1] != "total":
            found[columns[-1]] = int(columns[3])
    return found


def allocations(bench: Bench, subject: str, case: str, scheme: str, count: int) -> tuple[int, int]:
    counted = bench.built.work / "allocs.txt"
    preload = {"LD_PRELOAD": bench.built.programs["allocs.so"][0], "ALLOCS": str(counted)}
    bench.run(bench.sending(subject, case, scheme, 1, count), case, scheme, preload)
    calls_made, size = counted.read_text().split()
    return int(calls_made), int(size)


def sign(bench: Bench) -> None:
    """The signature of a SendUnicast of 100 B."""
    programs = bench.built.programs
    share = 20 if bench.given.quick else 1
    signers: dict[str, tuple[list[str], int]] = {
        "rtcmsg": ([*programs["rust-sign"], "ours"], 200_000),
        "its SHA-256 blocks": ([*programs["rust-sign"], "blocks"], 1_000_000),
        "vendor-go": ([*programs["vendor-go"], "sign"], 50_000),
        "vendor-python": ([*programs["vendor-python"], "sign"], 5_000),
        "aws-sigv4": (programs["rust-peer-sign"], 100_000),
    }
    for number in range(bench.given.rounds):
        for name in rotated(list(signers), number):
            command, count = signers[name]
            found = bench.run([*command, str(count // share)])
            bench.figures.add("sign 100 B", name, "sign", found["sign_ns"])
            if "blocks" in found:
                bench.figures.add("sign 100 B", name, "blocks", found["blocks"])


def submit(bench: Bench) -> None:
    """The call that only queues: with nothing else to do, with workers that send, and with a peer that never answers."""
    modes = {"idle": 5_000, "tick": 20_000, "load": 20_000, "dead": 20_000}
    for number in range(bench.given.rounds):
        for mode in rotated(list(modes), number):
            count = modes[mode] // (10 if bench.given.quick else 1)
            command = [*bench.built.programs["submit-alone"], mode, bench.server.url("http"), str(count)]
            # On one core the worker that a submit wakes would push it aside, and that is what would be measured.
            found = bench.run(command, cores=ALL_CORES)
            for metric, figure in (("wall p50", "p50_ns"), ("wall p99", "p99_ns"), ("wall p99.9", "p999_ns")):
                bench.figures.add("submit alone", mode, metric, found[figure] / 1000)


def queue(bench: Bench) -> None:
    """What a deep queue costs, by bench/queue.rs: per call, for 400 messages behind it, and per message that a close ends."""
    number = r"([\d.]+)"
    for _ in range(bench.given.rounds):
        result = subprocess.run(
            bench.built.programs["rust-queue"], env=bench.environment(), capture_output=True, text=True, check=False
        )
        calls = re.findall(
            rf"^\| (\d+) \| {number} µs \|.*?\| {number} µs \|.*?\| {number} ms \| {number} ms \|$",
            result.stdout,
            re.MULTILINE,
        )
        closes = re.findall(
            rf"^\| (\d+) \| [\d.]+ ms \| {number} µs \| [\d.]+ ms \| {number} µs \|$", result.stdout, re.MULTILINE
        )
        if result.returncode != 0 or len(calls) != 3 or not closes:
            raise Failed(result.stdout + result.stderr)
        for depth, *found in calls:
            for metric, figure in zip(QUEUE_METRICS, found, strict=True):
                bench.figures.add("deep queue", depth, metric, float(figure))
        for depth, *found in closes:
            for metric, figure in zip(("close(0)", "free"), found, strict=True):
                bench.figures.add("end of a queue, each", depth, metric, float(figure))


QUEUE_METRICS = ("wall p50", "stats p50", "behind a full room", "behind a busy client")


def quota(bench: Bench) -> None:
    """Share of the quota that pacing uses, by bench/quota.rs."""
    result = subprocess.run(
        bench.built.programs["rust-quota"], env=bench.environment(), capture_output=True, text=True, check=False
    )
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| \d+ \| ([\d.]+) % \| (\d+) \|$", result.stdout, re.MULTILINE)
    if result.returncode != 0 or len(rows) != 3:
        raise Failed(result.stdout + result.stderr)
    for name, limit, share, throttled in rows:
        bench.figures.add(f"quota {limit} a second", name, "quota used", float(share))
        bench.figures.add(f"quota {limit} a second", name, "throttled", float(throttled))


def size(bench: Bench) -> None:
    stripped = bench.built.work / "stripped.so"
    subprocess.run(["strip", "-o", str(stripped), str(bench.built.library)], check=True)
    bench.figures.add("library", "rtcmsg", "size", stripped.stat().st_size)


def cold(bench: Bench) -> None:
    """From loading the library to the first answer, each time in a process of its own."""
    libcurl = loaded_by(bench.built.programs["libcurl"][0], "libcurl")
    kinds = {"rtcmsg": ["ours", str(bench.built.library)], "libcurl": ["curl", libcurl]}
    for number in range(4 * bench.given.rounds):
        for scheme in SCHEMES:
            for name in rotated(list(kinds), number):
                command = [*bench.built.programs["cold"], *kinds[name], bench.server.url(scheme)]
                found = bench.run(command, "unicast-100", scheme)
                bench.figures.add(f"cold start {scheme}", name, "wall", found["cold_ns"] / 1000)


def loaded_by(program: str, name: str) -> str:
    listing = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    found = re.search(rf"^\s*{name}\S* => (\S+)", listing, re.MULTILINE)
    if not found:
        raise Failed(f"{program} loads no {name}")
    return found.group(1)


def soak(bench: Bench) -> None:
    """What a long run leaves behind."""
    for scheme in SCHEMES:
        command = [*bench.built.programs["soak"], bench.server.url(scheme), str(bench.given.soak // len(SCHEMES))]
        before = bench.server.accepted()
        found = bench.run(command, "unicast-100", scheme)
        left = {
            "sends": found["sends"],
            "connections": bench.server.accepted() - before - 1,
            "heap growth": found["heap_after"] - found["heap_before"],
            "threads more": found["threads_after"] - found["threads_before"],
            "descriptors more": found["descriptors_after"] - found["descriptors_before"],
        }
        for metric, value in left.items():
            bench.figures.add(f"soak {scheme}", "c", metric, value)
