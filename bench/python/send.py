"""rtcmsg through Python: every thread sends and waits, all with one client. `send.py submit ...` submits instead: one
thread keeps THREADS messages in flight and polls their completions."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from harness import WARM_UP, Run, arguments, figures, run

import rtcmsg


def client_for(given: Run, **more: Any) -> rtcmsg.Client:
    if given.url.startswith("https"):
        more["tls_ca_file"] = os.environ["BENCH_CA"]
    return rtcmsg.Client(
        volcengine_endpoint=given.url,
        volcengine_access_key="AKLTdemo",
        volcengine_secret_key="demo-secret-key==",
        volcengine_rtc_app_id="661e000000000000000demo1",
        zego_endpoint=given.url,
        zego_app_id=1234567890,
        zego_server_secret="0123456789abcdef0123456789abcdef",
        quota_mode="off",
        **more,
    )


def action(given: Run, actions: Any) -> Callable[[], Any]:
    """The case as a call of one of the client's families of actions."""
    users, text = given.to, given.text
    if given.case == "batch-600":
        return lambda: actions.batch_send_room_unicast(room_id="lobby", from_="server", to=users, payload=text)
    if given.case == "command-10":
        return lambda: actions.send_custom_command_to_users(room_id="lobby", from_="server", to=users, payload=text)
    return lambda: actions.send_unicast(from_="server", to=users[0], payload=text)


def send(given: Run) -> None:
    with client_for(given) as client:
        run(given, action(given, client))


def submit(given: Run) -> None:
    with client_for(given, worker_threads=given.threads) as client:
        started: dict[int, int] = {}
        one = action(given, client.submit(unordered=True))

        def send_all(count: int) -> list[int]:
            samples: list[int] = []
            begun = 0

            def begin() -> None:
                nonlocal begun
                now = time.perf_counter_ns()
                started[one()] = now
                begun += 1

            while begun < min(given.threads, count):
                begin()
            while len(samples) < count:
                for completion in client.poll(None):
                    samples.append(time.perf_counter_ns() - started.pop(completion.id))
                    assert completion.error is None, completion.error
                    if begun < count:
                        begin()
            return samples

        send_all(given.threads * WARM_UP)
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        samples = send_all(given.count)
        figures(samples, time.perf_counter_ns() - wall, time.process_time_ns() - cpu)


if __name__ == "__main__":
    if sys.argv[1] == "submit":
        del sys.argv[1]
        submit(arguments())
    else:
        send(arguments())
