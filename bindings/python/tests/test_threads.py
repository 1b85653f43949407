from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import rtcmsg
from rtcmsg.emulator import Emulator

MakeClient = Callable[..., rtcmsg.Client]


def wait_for_a_request(emulator: Emulator) -> None:
    """Waits until the vendor has received a request. The time limit of the test run also limits this."""
    while not any(connection["requests"] for connection in emulator.control("GET", "connections")):
        time.sleep(0.005)


def test_threads_share_a_client(client: rtcmsg.Client, emulator: Emulator) -> None:
    def send(number: int) -> rtcmsg.Code:
        return client.send_unicast(from_="server", to="alice", payload=str(number), timeout=60).code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(400))) == {rtcmsg.Code.OK}
    assert sorted(map(str, emulator.payloads("volcengine", "alice"))) == sorted(map(str, range(400)))


def test_other_threads_run_while_one_sends(client: rtcmsg.Client, emulator: Emulator) -> None:
    emulator.post("faults", vendor="volcengine", stall=True)
    ended = threading.Event()

    def send() -> None:
        try:
            client.send_unicast(from_="server", to="alice", payload="hello", timeout=60)
        except rtcmsg.RtcmsgError:
            ended.set()

    thread = threading.Thread(target=send)
    thread.start()
    wait_for_a_request(emulator)
    assert not ended.is_set()
    client.close(0)
    thread.join(60)
    assert ended.is_set()


def test_a_close_from_another_thread_ends_a_send_with_its_report(client: rtcmsg.Client, emulator: Emulator) -> None:
    emulator.post("faults", vendor="volcengine", stall=True)

    def send() -> rtcmsg.RtcmsgError | None:
        try:
            client.send_unicast(from_="server", to="alice", payload="hello", timeout=60)
        except rtcmsg.RtcmsgError as error:
            return error
        return None

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        wait_for_a_request(emulator)
        client.close(0)
        error = sending.result(60)
    assert isinstance(error, rtcmsg.Closed)
    assert isinstance(error, rtcmsg.OutcomeUnknown)
    assert error.report is not None
    assert error.report.recipients[0].delivery is rtcmsg.Delivery.UNKNOWN


def test_a_client_without_references_is_freed_after_its_last_send_returns(
    make_client: MakeClient, emulator: Emulator
) -> None:
    emulator.post("faults", vendor="volcengine", count=1, latency_ms=300)
    clients = [rtcmsg.Client(settings=emulator.settings)]
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(clients[0].send_unicast, from_="server", to="alice", payload="hello", timeout=60)
        wait_for_a_request(emulator)
        clients.clear()
        assert sending.result(60).code is rtcmsg.Code.OK


def test_several_threads_poll_one_client_and_nothing_is_lost_or_doubled(client: rtcmsg.Client) -> None:
    ids = {client.submit(unordered=True).send_unicast(from_="server", to="alice", payload="hello") for _ in range(200)}

    def poll() -> list[int]:
        found = []
        while client.pending:
            found += [completion.id for completion in client.poll(timeout=0.05)]
        return found

    with ThreadPoolExecutor(4) as pool:
        found = [id for part in [pool.submit(poll) for _ in range(4)] for id in part.result(60)]
    assert sorted(found) == sorted(ids)


def test_a_poll_without_limit_ends_when_the_client_is_closed(client: rtcmsg.Client) -> None:
    with ThreadPoolExecutor(1) as pool:
        polling = pool.submit(client.poll, None)
        client.close(0)
        assert polling.result(60) == []


def test_ctrl_c_ends_a_poll_without_limit(client: rtcmsg.Client) -> None:
    timer = threading.Timer(0.1, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        client.poll(timeout=None)
    timer.join()
