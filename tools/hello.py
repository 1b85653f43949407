#!/usr/bin/env python3
"""Checks that the program in the README is the one in examples/, and that it prints what the README says.

usage: hello.py EMULATOR PROGRAM SOURCE README
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

from emulator import Emulator


def main() -> int:
    emulator_path, program, source, readme = sys.argv[1:]
    code = pathlib.Path(source).read_text(encoding="utf-8").partition("*/\n")[2]
    if code not in pathlib.Path(readme).read_text(encoding="utf-8"):
        print(f"{readme} does not show {source} as it is", file=sys.stderr)
        return 1
    with Emulator(emulator_path) as emulator:
        for user in ("alice", "bob"):
            emulator.control("zego/join", {"room_id": "lobby", "user_id": user})
        run = subprocess.run(
            [program], env=emulator.environment, stdout=subprocess.PIPE, text=True, timeout=60, check=False
        )
        inboxes = [emulator.control(f"inbox?vendor=zego&user={user}") for user in ("alice", "bob")]
    said = run.stdout.splitlines()
    payloads = [[entry["payload"] for entry in inbox] for inbox in inboxes]
    right = (
        run.returncode == 0
        and said == ["alice: RTCMSG_DELIVERY_ACCEPTED", "bob: RTCMSG_DELIVERY_ACCEPTED"]
        and payloads == [["dinner is ready"]] * 2
    )
    print("hello: right" if right else f"hello: WRONG: {run.returncode} {said} {payloads}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
