#!/usr/bin/env python3
"""Notifies the users of a CSV file by SendUnicast, once each, and writes the result for every user to a file.

Run it again after an interruption, a crash or a bad network: it continues. No user gets the message twice, because a new
run skips those who have it or may have it. Settings come from the environment (docs/CONFIGURATION.md).

The result file is a log. A row is on disk before a message can be sent (SENDING), and another one after it. So after a
crash the file shows which messages were in flight; they count as UNKNOWN. Each row is one line. A new run removes a row
that a crash cut.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, TextIO

import rtcmsg

SENDING = "SENDING"
# Only these are sent again: the user did not get the message.
AGAIN = {"NOT_SENT", "NOT_DELIVERED", "REFUSED"}
CHUNK = 200


class Results:
    """The result file: user, state, details. The last row of a user counts."""

    def __init__(self, file: BinaryIO) -> None:
        # Two runs at once would both send.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.seek(0)
        whole = file.read()
        # A row that a crash cut has no meaning; the complete row before it says SENDING.
        whole = whole[: whole.rfind(b"\n") + 1]
        file.truncate(len(whole))
        self._file = file
        self._states: dict[str, str] = {}
        # Each line by itself, up to its second comma, so that a damaged line does not affect others.
        for line in whole.split(b"\n"):
            parts = line.decode("utf-8", "replace").split(",", 2)
            if len(parts) == 3:
                self._states[parts[0]] = parts[1]

    def state(self, user: str) -> str | None:
        return self._states.get(in_one_field(user))

    def write(self, rows: Iterable[tuple[str, str, str]]) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for user, state, details in rows:
            field = in_one_field(user)
            writer.writerow((field, state, in_one_line(details)))
            self._states[field] = state
        self._file.write(text.getvalue().encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def give_up(self) -> None:
        """A user whose message was in flight when a run ended may have it."""
        lost = [user for user, state in self._states.items() if state == SENDING]
        self.write((user, "UNKNOWN", "a run ended meanwhile") for user in lost)


def in_one_line(text: str) -> str:
    return re.sub(r'[\s"\0]', " ", text)


def in_one_field(user: str) -> str:
    """An id has no spaces, so a user whose name changes here is refused, and is not confused with another user."""
    return in_one_line(user).replace(",", " ")


class Progress:
    """A bar on standard error, if that is a terminal."""

    def __init__(self, total: int, out: TextIO = sys.stderr) -> None:
        self._total, self._done, self._out = total, 0, out

    def advance(self, count: int) -> None:
        self._done += count
        if self._out.isatty():
            filled = 40 * self._done // self._total
            bar = "#" * filled + "-" * (40 - filled)
            self._out.write(f"\r[{bar}] {self._done}/{self._total}" + "\n" * (self._done == self._total))
            self._out.flush()


def users_of(path: Path) -> list[str]:
    """The column `user`, each once."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "user" not in (rows.fieldnames or ()):
            raise SystemExit(f"{path} has no column named user")
        return list(dict.fromkeys(row["user"] for row in rows if row["user"]))


def notify(client: rtcmsg.Client, users: list[str], sender: str, text: str, results: Results) -> None:
    progress = Progress(len(users))
    for start in range(0, len(users), CHUNK):
        chunk = users[start : start + CHUNK]
        results.write((user, SENDING, "") for user in chunk)
        try:
            refused = []
            for index, user in enumerate(chunk):
                try:
                    client.submit(user_data=index).send_unicast(from_=sender, to=user, payload=text)
                except rtcmsg.NotSent as error:
                    refused.append((user, "REFUSED", str(error)))
            results.write(refused)
            progress.advance(len(refused))
            settle(client, chunk, results, progress)
        except KeyboardInterrupt:
            client.close()
            settle(client, chunk, results, progress)
            raise


def settle(client: rtcmsg.Client, chunk: list[str], results: Results, progress: Progress) -> None:
    """Writes the results of all submitted messages."""
    while client.pending:
        done = client.poll(timeout=None)
        results.write((chunk[c.user_data], c.report.delivery.name, c.report.summary) for c in done)
        progress.advance(len(done))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", type=Path, help="CSV with a column `user`")
    parser.add_argument("results", type=Path, help="CSV that is added to")
    parser.add_argument("--from", dest="sender", default="server", help="the sender that receivers see")
    parser.add_argument("--text", required=True)
    options = parser.parse_args()
    users = users_of(options.users)
    with options.results.open("ab+") as file, rtcmsg.Client.from_env() as client:
        try:
            results = Results(file)
        except BlockingIOError:
            raise SystemExit(f"another run is writing to {options.results}") from None
        results.give_up()
        left = [user for user in users if (results.state(user) or "NOT_SENT") in AGAIN]
        notify(client, left, options.sender, options.text, results)
    counts = Counter(results.state(user) or "" for user in users)
    print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    return 0 if counts.keys() <= {"ACCEPTED", "DELIVERED"} else 1


if __name__ == "__main__":
    sys.exit(main())
