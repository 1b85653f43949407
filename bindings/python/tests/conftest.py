from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rtcmsg
from rtcmsg.emulator import Emulator

pytest_plugins = ["rtcmsg.pytest_plugin", "pytester"]

# What a shell starts in the background ignores Ctrl-C, and so would everything that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[3]
CONVERSATION = 7221856821303361536


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def emulator(rtcmsg_emulator: Emulator) -> Emulator:
    """alice and bob are in the lobby; of the conversation 10001 is online, 10002 is not."""
    for user in ("alice", "bob"):
        rtcmsg_emulator.post("volcengine/join", room_id="lobby", user_id=user)
        rtcmsg_emulator.post("zego/join", room_id="lobby", user_id=user)
    members: dict[int, list[str]] = {10001: ["Web", "IOS"], 10002: [], 10008: []}
    for user_id, devices in members.items():
        rtcmsg_emulator.post("im/join", conversation_id=CONVERSATION, user_id=user_id, devices=devices)
    return rtcmsg_emulator


@pytest.fixture
def make_client(emulator: Emulator) -> Iterator[Callable[..., rtcmsg.Client]]:
    """Clients of the emulator, without pacing; keywords are settings. They are closed at the end."""
    clients: list[rtcmsg.Client] = []

    def make(**settings: Any) -> rtcmsg.Client:
        clients.append(rtcmsg.Client(settings=emulator.settings, **{"quota_mode": "off", **settings}))
        return clients[-1]

    yield make
    for client in clients:
        client.close(0)


@pytest.fixture
def client(make_client: Callable[..., rtcmsg.Client]) -> rtcmsg.Client:
    return make_client()


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, str]:
    """For programs of their own: this package, and the emulator's account."""
    path = [str(ROOT / "bindings" / "python" / "src"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        **emulator.environment,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONWARNINGS": "error",
        "RTCMSG_QUOTA_MODE": "off",
    }
