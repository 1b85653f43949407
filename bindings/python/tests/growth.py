"""Sends ten thousand messages in each way and prints by how much the two heaps have grown, for test_growth.py.

The size of the C heap is that of mallinfo2, as in tests/c/growth.c. The size of Python's heap is its allocated blocks.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import sys
from collections.abc import Callable
from typing import Any

import rtcmsg

WARM_UP = 500
SENDS = 10_000
UNICAST: dict[str, Any] = {"from_": "server", "to": "alice", "payload": "hello " * 20}
NOWHERE: dict[str, Any] = {"room_id": "nowhere", "from_": "server", "to": ["alice", "bob"], "payload": "hello"}
BAD: dict[str, Any] = {**UNICAST, "to": "a b"}


class Mallinfo2(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    )


mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Mallinfo2


def heaps() -> tuple[int, int]:
    gc.collect()
    info = mallinfo2()
    return info.uordblks + info.hblkhd, sys.getallocatedblocks()


def send(count: int) -> None:
    for number in range(count):
        if number % 10:
            CLIENT.send_unicast(**UNICAST)
            continue
        for action, message in ((CLIENT.send_custom_command_to_users, NOWHERE), (CLIENT.send_unicast, BAD)):
            try:
                action(**message)
            except rtcmsg.RtcmsgError:
                continue


def submit(count: int) -> None:
    for _ in range(count // 100):
        for _ in range(100):
            CLIENT.submit(unordered=True).send_unicast(**UNICAST)
        while CLIENT.pending:
            CLIENT.poll(timeout=None)


def await_all(count: int) -> None:
    async def main() -> None:
        for _ in range(count // 100):
            await asyncio.gather(*(ASYNC_CLIENT.send_unicast(**UNICAST) for _ in range(100)))

    asyncio.run(main())


def make_clients(count: int) -> None:
    for _ in range(count // 20):
        with rtcmsg.Client.from_env() as client:
            client.send_unicast(**UNICAST)


CLIENT = rtcmsg.Client.from_env()
ASYNC_CLIENT = rtcmsg.AsyncClient.from_env()
WAYS: list[Callable[[int], None]] = [send, submit, await_all, make_clients]

grown = {}
for way in WAYS:
    way(WARM_UP)
    c_heap, python_heap = heaps()
    way(SENDS)
    c_heap_then, python_heap_then = heaps()
    grown[way.__name__] = c_heap_then - c_heap, python_heap_then - python_heap
print(json.dumps(grown))
