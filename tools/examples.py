#!/usr/bin/env python3
"""Runs the C++ game loop and the event loops against the emulator, and compares what they print with the recipients' inboxes.
demo.py runs the quickstarts.

usage: examples.py EMULATOR GAME_LOOP EVENT_LOOP...
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from emulator import Emulator

PLAYERS = [f"player-{number}" for number in range(200)]
TICKS = 120
SUMMARY = re.compile(r"^(\w+): submitted (\d+), accepted (\d+), expired (\d+), failed (\d+)$", re.MULTILINE)


def said_by(emulator: Emulator, program: str) -> str:
    return subprocess.run(
        [program], env=emulator.environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    ).stdout


def inbox(emulator: Emulator, user: str) -> list[str]:
    return [entry["payload"] for entry in emulator.control(f"inbox?vendor=volcengine&user={user}")]


def expect(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise SystemExit(f"{what}: {actual!r}, expected {expected!r}")


def check_game_loop(emulator: Emulator, program: str) -> None:
    for player in PLAYERS:
        emulator.control("volcengine/join", {"room_id": "match", "user_id": player})
    said = said_by(emulator, program)
    rows = {row[0]: tuple(int(count) for count in row[1:]) for row in SUMMARY.findall(said)}
    expect("announcements", rows.get("announcements"), (2, 2, 0, 0))
    expect("whispers", rows.get("whispers"), (40, 40, 0, 0))
    submitted, accepted, expired, failed = rows.get("signals", (0, 0, 0, 0))
    expect("signals", (submitted, accepted + expired, failed), (12, 12, 0))
    expect("what is pending", "pending: 0\n" in said, True)

    whispers = {PLAYERS[tick // 3]: f"whisper of tick {tick}" for tick in range(0, TICKS, 3)}
    signals = {f"signal of tick {tick}" for tick in range(0, TICKS, 10)}
    for player in PLAYERS:
        arrived = inbox(emulator, player)
        kinds = ("second", "whisper", "signal")
        by_kind = {kind: [text for text in arrived if text.startswith(kind)] for kind in kinds}
        expect(f"{player}'s announcements", by_kind["second"], ["second 0", "second 1"])
        expect(f"{player}'s whispers", by_kind["whisper"], [whispers[player]] if player in whispers else [])
        right = len(set(by_kind["signal"]) & signals)
        expect(f"{player}'s signals", (len(by_kind["signal"]), right), (accepted, accepted))
    print(f"game loop: {len(PLAYERS)} inboxes hold what it says: {accepted} signals in time, {expired} too late")


def check_event_loop(emulator: Emulator, program: str) -> None:
    name = Path(program).name
    emulator.control("volcengine/join", {"room_id": "lobby", "user_id": name})
    said = said_by(emulator, program).splitlines()
    expect("what it says", said, [f"message {number}: RTCMSG_DELIVERY_ACCEPTED" for number in (1, 2, 3)])
    expect(f"{name}'s inbox", inbox(emulator, name), ["message 1", "message 2", "message 3"])
    emulator.control("volcengine/leave", {"room_id": "lobby", "user_id": name})
    print(f"{name}: 3 messages in order")


def main() -> int:
    if len(sys.argv) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    with Emulator(sys.argv[1]) as emulator:
        check_game_loop(emulator, sys.argv[2])
        for event_loop in sys.argv[3:]:
            check_event_loop(emulator, event_loop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
