"""What the Python subjects share: arguments, the messages, threads, clocks and the line that is printed.

What is printed and why is said in bench/c/harness.h.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Sends of each thread that are not measured.
WARM_UP = 50


@dataclass
class Run:
    """The arguments, CASE URL THREADS COUNT, and the message of the case."""

    case: str
    url: str
    threads: int
    count: int

    @property
    def to(self) -> list[str]:
        return [f"user-{n:04}" for n in range(1, {"batch-600": 600, "command-10": 10}.get(self.case, 1) + 1)]

    @property
    def text(self) -> str:
        return "0123456789" * ((60 * 1024 if self.case == "unicast-60k" else 100) // 10)


def arguments() -> Run:
    if len(sys.argv) != 5:
        sys.exit("takes CASE URL THREADS COUNT")
    return Run(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))


def run(given: Run, send: Callable[[], None]) -> None:
    """Sends the messages and prints the figures. A send that fails ends the program."""
    each = given.count // given.threads
    warm, start = (threading.Barrier(given.threads + 1) for _ in range(2))

    def work() -> list[int]:
        try:
            for _ in range(WARM_UP):
                send()
        except BaseException:
            # No other thread waits for this one.
            warm.abort()
            raise
        warm.wait()
        start.wait()
        mine = []
        for _ in range(each):
            begun = time.perf_counter_ns()
            send()
            mine.append(time.perf_counter_ns() - begun)
        return mine

    with concurrent.futures.ThreadPoolExecutor(given.threads) as threads:
        results = [threads.submit(work) for _ in range(given.threads)]
        with contextlib.suppress(threading.BrokenBarrierError):
            warm.wait()
            begun, cpu = time.perf_counter_ns(), time.process_time_ns()
            start.wait()
        failures = [why for result in results if (why := result.exception())]
        for why in failures:
            if not isinstance(why, threading.BrokenBarrierError):
                raise why
        wall, cpu = time.perf_counter_ns() - begun, time.process_time_ns() - cpu
    figures([sample for result in results for sample in result.result()], wall, cpu)


def figures(samples: list[int], wall: int, cpu: int) -> None:
    """Prints the line; `wall` and `cpu` are nanoseconds of all sends together."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    samples.sort()

    def at(share: float) -> int:
        return samples[int(share * (len(samples) - 1) + 0.5)]

    line = {
        "p50_ns": at(0.5),
        "p99_ns": at(0.99),
        "wall_ns": round(wall / len(samples), 1),
        "cpu_ns": round(cpu / len(samples), 1),
        "peak_kb": int(found.group(1)) if found else 0,
        "sends": len(samples),
    }
    print(json.dumps(line))
