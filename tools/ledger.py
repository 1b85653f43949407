"""Compares the results that a program got for its messages with what the emulator processed."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections import Counter
from pathlib import Path

SHOWN = 10
SAFETY_TRIES = 100


def differences(url: str, results: Path) -> list[str]:
    """What does not agree. A line of the file is a message: its number, whether it had a completion, and how many of its
    requests were taken, are unknown, and were refused. Its payload in the ledger begins with "number N"."""
    # Otherwise the faults at accept would hit this as well.
    ask("DELETE", f"{url}/_emulator/faults")
    seen: Counter[int] = Counter()
    accepted: Counter[int] = Counter()
    for entry in json.loads(ask("GET", f"{url}/_emulator/ledger")):
        if entry["payload_base64"] is None:
            # The emulator refused it before it read it: it cannot have reached a user.
            if entry["accepted"]:
                return [f"an entry without payload was accepted: {entry}"]
            continue
        number = int(base64.b64decode(entry["payload_base64"]).split()[1])
        seen[number] += 1
        accepted[number] += entry["accepted"]
    wrong = []
    known = set()
    for line in results.read_text(encoding="ascii").splitlines():
        number, completions, done, unknown, refused = map(int, line.split())
        known.add(number)
        if completions == 0:
            continue
        if not done <= accepted[number] <= done + unknown:
            wrong.append(f"{number}: accepted {accepted[number]} times; reported: {done}, and {unknown} unknown")
        if seen[number] and not done + unknown + refused:
            wrong.append(f"{number}: it is in the ledger, and was reported as not sent")
    wrong += [f"{number}: it was not taken in, and is in the ledger" for number in seen if number not in known]
    if not known or not accepted:
        wrong.append("nothing was reported, or nothing was accepted")
    return wrong[:SHOWN]


def ask(method: str, url: str) -> bytes:
    for _ in range(SAFETY_TRIES):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
                body: bytes = answer.read()
                return body
        except OSError:
            time.sleep(0.01)
    raise TimeoutError(url)
