#!/usr/bin/env python3
"""Runs the C quickstart against the emulator and shows, recipient by recipient, what the library reported and what the
recipient's inbox holds. The exit code is 1 if the two differ. `make demo` runs it.

usage: demo.py EMULATOR QUICKSTART
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from emulator import Emulator

CONVERSATION = 7221856821303361536

# Who is there. bob has left; ghost and 10003 never came.
PRESENCE: list[tuple[str, dict[str, Any]]] = [
    ("volcengine/join", {"room_id": "lobby", "user_id": "alice"}),
    ("volcengine/join", {"room_id": "lobby", "user_id": "bob"}),
    ("volcengine/leave", {"room_id": "lobby", "user_id": "bob"}),
    ("volcengine/logout", {"user_id": "bob"}),
    ("im/join", {"conversation_id": CONVERSATION, "user_id": 10008, "devices": []}),
    ("im/join", {"conversation_id": CONVERSATION, "user_id": 10001, "devices": ["Web", "IOS"]}),
    ("im/join", {"conversation_id": CONVERSATION, "user_id": 10002, "devices": []}),
    ("zego/join", {"room_id": "lobby", "user_id": "alice"}),
    ("zego/join", {"room_id": "lobby", "user_id": "bob"}),
    ("zego/leave", {"room_id": "lobby", "user_id": "bob"}),
]

# message, recipient, delivery, whose inbox to look into, what it then holds of this message ("" for nothing).
# Volcengine RTC also accepts a message for a user who is absent, and does not say so: that is ACCEPTED.
EXPECTED: list[tuple[str, str, str, str, str, str]] = [
    ("SendUnicast", "alice", "ACCEPTED", "volcengine", "alice", "unicast: you have mail"),
    ("SendRoomUnicast", "alice", "ACCEPTED", "volcengine", "alice", "room unicast: your turn"),
    ("BatchSendRoomUnicast", "alice", "ACCEPTED", "volcengine", "alice", "AAH+/w=="),
    ("BatchSendRoomUnicast", "bob", "ACCEPTED", "volcengine", "bob", ""),
    ("BatchSendRoomUnicast", "ghost", "ACCEPTED", "volcengine", "ghost", ""),
    ("SendBroadcast", "(room lobby)", "ACCEPTED", "volcengine", "alice", "broadcast: round 2 begins"),
    ("P2PSendMessage", "10001", "DELIVERED", "im", "10001", '{"type":1000}'),
    ("P2PSendMessage", "10002", "NOT_DELIVERED", "im", "10002", ""),
    ("P2PSendMessage", "10003", "ACCEPTED", "im", "10003", ""),
    ("P2PSendMessage to all", "10001", "DELIVERED", "im", "10001", '{"type":1001}'),
    ("P2PSendMessage to all", "10002", "NOT_DELIVERED", "im", "10002", ""),
    ("P2PSendMessage to all", "10008", "NOT_DELIVERED", "im", "10008", ""),
    ("P2PSendMessage to all except", "10001", "DELIVERED", "im", "10001", '{"type":1002}'),
    ("P2PSendMessage to all except", "10008", "NOT_DELIVERED", "im", "10008", ""),
    ("SendCustomCommand", "alice", "ACCEPTED", "zego", "alice", "命令: 你好 a+b"),
    ("SendCustomCommand", "bob", "NOT_DELIVERED", "zego", "bob", ""),
    ("SendCustomCommand", "ghost", "NOT_DELIVERED", "zego", "ghost", ""),
    ("SendCustomCommand to room", "(room lobby)", "ACCEPTED", "zego", "alice", "command: everybody up"),
]


def reported(quickstart: str, environment: dict[str, str]) -> list[tuple[str, str, str]]:
    """The quickstart's rows: message, recipient, delivery."""
    run = subprocess.run([quickstart], env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    rows = []
    for line in run.stdout.splitlines():
        message, recipient, delivery = line[:28].strip(), line[29:43].strip(), line[44:].split()[0]
        rows.append((message, recipient, delivery.removeprefix("RTCMSG_DELIVERY_")))
    return rows


def inbox(emulator: Emulator, vendor: str, user: str) -> list[str]:
    """What arrived, once a message: an IM user's inbox has an entry for each of his devices."""
    entries = emulator.control(f"inbox?vendor={vendor}&user={user}")
    messages = {e["request_id"]: e["payload_base64"] if e["binary"] else e["payload"] for e in entries}
    return list(messages.values())


def show(emulator: Emulator, rows: list[tuple[str, str, str]]) -> int:
    """Prints the table, and gives the number of rows that are not as they should be."""
    wrong = abs(len(rows) - len(EXPECTED))
    held = {(vendor, user): inbox(emulator, vendor, user) for *_, vendor, user, _ in EXPECTED}
    print(f"{'message':<30}{'recipient':<16}{'what became of it':<20}what the inbox holds")
    for row, (message, recipient, delivery, vendor, user, payload) in zip(rows, EXPECTED):
        found = payload if payload in held[vendor, user] else "nothing"
        right = row == (message, recipient, delivery) and found == (payload or "nothing")
        wrong += not right
        print(f"{row[0]:<30}{row[1]:<16}{row[2]:<20}{user + ': ' + found}{'' if right else '   <-- WRONG'}")
    for (vendor, user), payloads in held.items():
        expected = [payload for *_, v, u, payload in EXPECTED if (v, u) == (vendor, user) and payload]
        if payloads != expected:
            wrong += 1
            print(f"the inbox of {user} ({vendor}) holds {payloads}, not {expected}   <-- WRONG")
    return wrong


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    with Emulator(sys.argv[1]) as emulator:
        for path, body in PRESENCE:
            emulator.control(path, body)
        wrong = show(emulator, reported(sys.argv[2], emulator.environment))
    print(f"{len(EXPECTED)} rows, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
