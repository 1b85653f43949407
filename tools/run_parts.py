"""Runs parts of the tests, several at a time. Each part is a target of make, in its own session, with its own time limit.

The output of a part goes to a file and is printed when the part ends. The start and the end of a part are printed at once,
so that the output of an interrupted run shows which parts were running.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

# Four times what the longest part takes on two cores, so that it ends a part that hangs but not one that is slow.
LIMIT_S = 2400
# Time for a part to stop its own processes after SIGTERM.
END_S = 20


@dataclass
class Part:
    """A part that runs."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    begun: float
    was_ended: bool = False

    def seconds(self) -> float:
        return time.monotonic() - self.begun


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", default="make")
    parser.add_argument("--logs", type=Path, required=True, help="directory for what the parts print")
    parser.add_argument("--at-a-time", type=int, default=1)
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds that one part may take")
    parser.add_argument("parts", nargs="+")
    options = parser.parse_args()
    options.logs.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    waiting, running, failed = deque(options.parts), list[Part](), list[str]()
    try:
        while running or (waiting and not failed):
            while waiting and not failed and len(running) < options.at_a_time:
                running.append(begin(waiting.popleft(), options.make, options.logs))
            for part in [part for part in running if has_ended(part, options.limit)]:
                running.remove(part)
                if not report(part):
                    failed.append(part.name)
            time.sleep(0.1)
    finally:
        for part in running:
            say(f"{part.name}: ended, with the run, after {part.seconds():.0f} s")
            end(part)
            show(part)
    say(f"failed: {', '.join(failed)}" if failed else f"passed: {len(options.parts)} parts")
    return 1 if failed else 0


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def begin(name: str, make: str, logs: Path) -> Part:
    log = logs / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [make, "--no-print-directory", name],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    say(f"{name}: begins")
    return Part(name, log, process, time.monotonic())


def has_ended(part: Part, limit: float) -> bool:
    if part.process.poll() is None and part.seconds() > limit:
        part.was_ended = True
        end(part)
    return part.process.poll() is not None


def end(part: Part) -> None:
    """Ends the part and all processes that it started."""
    for kind, patience in ((signal.SIGTERM, END_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(part.process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            part.process.wait(patience)


def report(part: Part) -> bool:
    """Prints the result of a part. Returns whether it passed."""
    show(part)
    what = f"exit code {part.process.returncode}" if part.process.returncode else "ok"
    say(f"{part.name}: {'ended at its limit' if part.was_ended else what}, after {part.seconds():.0f} s")
    return part.process.returncode == 0 and not part.was_ended


def show(part: Part) -> None:
    sys.stdout.flush()
    with part.log.open("rb") as log:
        while block := log.read(1 << 16):
            sys.stdout.buffer.write(block)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
