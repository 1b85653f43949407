from __future__ import annotations

import asyncio
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rtcmsg
from rtcmsg.emulator import Emulator

UNICAST: dict[str, Any] = {"from_": "server", "to": "alice", "payload": "hello"}


def make(emulator: Emulator, **settings: Any) -> rtcmsg.AsyncClient:
    return rtcmsg.AsyncClient(settings=emulator.settings, **{"quota_mode": "off", **settings})


async def until(condition: Any) -> None:
    """The time limit of the test run also limits this."""
    while not condition():
        await asyncio.sleep(0.005)


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def test_a_thousand_tasks_send_at_once_on_a_constant_number_of_threads(emulator: Emulator) -> None:
    async def main() -> None:
        before = threads()
        async with make(emulator, worker_threads=8) as client:
            sends = [
                asyncio.create_task(client.send_unicast(**{**UNICAST, "payload": str(number)}, timeout=60))
                for number in range(1000)
            ]
            most = 0
            while not all(task.done() for task in sends):
                most = max(most, threads())
                await asyncio.sleep(0)
            assert {(await task).code for task in sends} == {rtcmsg.Code.OK}
            # The workers, the dispatcher, and sometimes the threads of a DNS lookup and of the start of the dispatcher.
            assert most <= before + 8 + 3

    asyncio.run(main())
    assert sorted(map(str, emulator.payloads("volcengine", "alice"))) == sorted(map(str, range(1000)))


def test_tasks_that_send_to_one_user_do_not_wait_for_each_other(emulator: Emulator) -> None:
    async def main() -> None:
        emulator.post("faults", vendor="volcengine", count=1, stall=True)
        async with make(emulator) as client:
            stuck = asyncio.create_task(client.send_unicast(**UNICAST, timeout=60))
            await until(lambda: emulator.control("GET", "faults")[0]["fired"])
            assert (await client.send_unicast(**UNICAST)).code is rtcmsg.Code.OK
            assert not stuck.done()
            await client.close(0)
            with pytest.raises(rtcmsg.Closed):
                await stuck

    asyncio.run(main())


def test_errors_are_those_of_a_send(emulator: Emulator) -> None:
    async def main() -> None:
        async with make(emulator) as client:
            with pytest.raises(rtcmsg.Undelivered) as caught:
                await client.send_custom_command_to_room(room_id="nowhere", from_="server", payload="hello")
            assert caught.value.report is not None
            with pytest.raises(rtcmsg.InvalidArgument, match="the message is empty"):
                await client.send_unicast(**{**UNICAST, "payload": ""})
            with pytest.raises(TypeError, match="to must be str, not NoneType"):
                await client.send_unicast(**{**UNICAST, "to": None})
            with pytest.raises(rtcmsg.InvalidArgument, match="is nan"):
                await client.send_unicast(**UNICAST, timeout=math.nan)
            with pytest.raises(rtcmsg.InvalidArgument):
                client.check.send_unicast(**{**UNICAST, "to": "a b"})
            # After these errors the loop watches no message.
            assert (client.pending, client._unfinished, client._waiting) == (0, {}, {})
        with pytest.raises(rtcmsg.Closed):
            await client.send_unicast(**UNICAST)

    asyncio.run(main())


def test_cancelling_a_task_cancels_its_queued_message(emulator: Emulator) -> None:
    async def main() -> None:
        emulator.post("faults", vendor="volcengine", count=1, latency_ms=300)
        async with make(emulator, worker_threads=1) as client:
            first = asyncio.create_task(client.send_unicast(**{**UNICAST, "payload": "first"}))
            second = asyncio.create_task(client.send_unicast(**{**UNICAST, "payload": "second"}))
            await until(lambda: client.pending == 2)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert (await first).code is rtcmsg.Code.OK
            await until(lambda: not client.pending)
            assert (client._unfinished, client._waiting) == ({}, {})

    asyncio.run(main())
    assert emulator.payloads("volcengine", "alice") == ["first"]


def test_a_message_in_flight_continues_after_its_task_is_cancelled(emulator: Emulator) -> None:
    async def main() -> None:
        emulator.post("faults", vendor="volcengine", count=1, answer_latency_ms=100)
        async with make(emulator) as client:
            task = asyncio.create_task(client.send_unicast(**UNICAST))
            await until(lambda: emulator.payloads("volcengine", "alice"))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: not client.pending)
            assert client._unfinished == {}

    asyncio.run(main())
    assert emulator.payloads("volcengine", "alice") == ["hello"]


def test_wait_for_cancels_the_send(emulator: Emulator) -> None:
    async def main() -> None:
        emulator.post("faults", vendor="volcengine", stall=True)
        async with make(emulator) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.send_unicast(**UNICAST, timeout=60), 0.1)
            await client.close(0)

    asyncio.run(main())


def test_a_client_serves_one_loop_after_another(emulator: Emulator) -> None:
    client = make(emulator)

    async def send() -> rtcmsg.Code:
        return (await client.send_unicast(**UNICAST)).code

    assert [asyncio.run(send()) for _ in range(3)] == [rtcmsg.Code.OK] * 3
    asyncio.run(client.close())


def test_loops_of_several_threads_share_a_client_and_have_their_own_clients(emulator: Emulator) -> None:
    shared = make(emulator)

    async def main() -> set[rtcmsg.Code]:
        async with make(emulator) as own:
            sends = [client.send_unicast(**UNICAST, timeout=60) for client in (shared, own) for _ in range(50)]
            return {report.code for report in await asyncio.gather(*sends)}

    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(asyncio.run, main()) for _ in range(4)]
        assert [result.result(60) for result in results] == [{rtcmsg.Code.OK}] * 4
    assert (shared._unfinished, shared._waiting) == ({}, {})
    asyncio.run(shared.close())
    assert len(emulator.payloads("volcengine", "alice")) == 400


def test_a_loop_that_ended_with_a_message_in_flight_does_not_affect_the_next_loop(emulator: Emulator) -> None:
    client = make(emulator)

    async def leave() -> None:
        emulator.post("faults", vendor="volcengine", count=1, answer_latency_ms=100)
        task = asyncio.create_task(client.send_unicast(**UNICAST))
        await until(lambda: emulator.payloads("volcengine", "alice"))
        assert not task.done()

    async def send() -> None:
        await client.send_unicast(**UNICAST)
        await client.flush()
        await client.send_unicast(**UNICAST)

    asyncio.run(leave())
    asyncio.run(send())
    assert (client.pending, client._unfinished) == (0, {})
    asyncio.run(client.close())


def test_closing_ends_every_task_that_waits(emulator: Emulator) -> None:
    async def main() -> None:
        emulator.post("faults", vendor="volcengine", stall=True)
        client = make(emulator, worker_threads=2)
        sends = [asyncio.create_task(client.send_unicast(**UNICAST, timeout=60)) for _ in range(10)]
        await until(lambda: emulator.control("GET", "faults")[0]["fired"] == 2)
        await client.close(0)
        errors = await asyncio.gather(*sends, return_exceptions=True)
        assert all(isinstance(error, rtcmsg.Closed) for error in errors)
        outcomes = [isinstance(error, rtcmsg.OutcomeUnknown) for error in errors]
        assert sum(outcomes) == 2
        assert sum(isinstance(error, rtcmsg.NotSent) for error in errors) == 8

    asyncio.run(main())


def test_a_full_queue_refuses_a_task(emulator: Emulator) -> None:
    async def main() -> None:
        emulator.post("faults", vendor="volcengine", stall=True)
        client = make(emulator, queue_capacity=5)
        sends = [client.send_unicast(**UNICAST, timeout=60) for _ in range(8)]
        gathered = asyncio.gather(*sends, return_exceptions=True)
        await until(lambda: client.pending == 5)
        await client.close(0)
        assert sum(isinstance(error, rtcmsg.QueueFull) for error in await gathered) == 3

    asyncio.run(main())


def test_the_other_methods_of_the_client_work(emulator: Emulator) -> None:
    async def main() -> None:
        async with make(emulator) as client:
            arguments = {
                "RoomId": "lobby",
                "UserId": "server",
                "UserName": "x",
                "MessageCategory": 1,
                "MessageContent": "hi",
            }
            report = await client.call_action(rtcmsg.Vendor.ZEGO, "SendBroadcastMessage", arguments)
            assert report.json()["Code"] == 0
            client.set_credentials(rtcmsg.Vendor.ZEGO, secret="0" * 32)
            with pytest.raises(rtcmsg.Unauthenticated):
                await client.send_custom_command_to_room(room_id="lobby", from_="server", payload="hello")
            client.warm_up(1)
            await client.flush(60)
            assert isinstance(client.stats(), dict)

    asyncio.run(main())


def test_a_bad_argument_is_raised_by_the_await_and_not_by_the_call(emulator: Emulator) -> None:
    async def main() -> None:
        async with make(emulator) as client:
            sends = [client.send_unicast(**{**UNICAST, "to": to}) for to in ("alice", None, "a b", "alice")]
            results = await asyncio.gather(*sends, return_exceptions=True)
            kinds = [rtcmsg.Report, TypeError, rtcmsg.InvalidArgument, rtcmsg.Report]
            assert [type(result) for result in results] == kinds

    asyncio.run(main())


@pytest.mark.parametrize("options", [{"order_key": 7}, {"ordered": True}])
def test_tasks_with_an_order_send_in_sequence(emulator: Emulator, options: dict[str, Any]) -> None:
    async def main() -> None:
        async with make(emulator, worker_threads=4) as client:
            # The first message is the slowest: without an order the others would arrive before it.
            emulator.post("faults", vendor="volcengine", count=1, latency_ms=300)
            ordered = client.with_options(**options)
            sends = [ordered.send_unicast(**{**UNICAST, "payload": str(number)}) for number in range(20)]
            assert {report.code for report in await asyncio.gather(*sends)} == {rtcmsg.Code.OK}

    asyncio.run(main())
    assert emulator.payloads("volcengine", "alice") == [str(number) for number in range(20)]


def test_one_order_key_orders_several_destinations(emulator: Emulator) -> None:
    async def main() -> None:
        async with make(emulator, worker_threads=4) as client:
            emulator.post("faults", vendor="volcengine", user="bob", latency_ms=20)
            ordered = client.with_options(order_key=7)
            users = ["bob", "alice"] * 5
            await asyncio.gather(*(ordered.send_unicast(**{**UNICAST, "to": user}) for user in users))

    asyncio.run(main())
    ledger = emulator.control("GET", "ledger")
    assert [entry["recipients"][0]["user"] for entry in ledger] == ["bob", "alice"] * 5


def test_a_close_does_not_wait_for_the_calls_that_it_ends(emulator: Emulator) -> None:
    emulator.post("faults", stall=True)
    arguments = {"RoomId": "lobby", "UserId": "server", "UserName": "x", "MessageCategory": 1, "MessageContent": "hi"}

    async def main() -> None:
        client = make(emulator)
        calls = [
            asyncio.create_task(client.call_action(rtcmsg.Vendor.ZEGO, "SendBroadcastMessage", arguments, timeout=60))
            for _ in range(80)
        ]
        await until(lambda: client.stats()["http"]["connections_opened"] >= 4)
        await client.close(0)
        with pytest.raises(rtcmsg.Closed):
            await client.call_action(rtcmsg.Vendor.ZEGO, "SendBroadcastMessage", arguments)
        # The close ended them before their timeout.
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, rtcmsg.Closed) for error in errors)

    asyncio.run(main())


def test_no_python_thread_is_started_for_messages(emulator: Emulator) -> None:
    async def main() -> None:
        before = set(threading.enumerate())
        client = make(emulator)
        await asyncio.gather(*(client.send_unicast(**UNICAST) for _ in range(20)))
        assert set(threading.enumerate()) <= before
        await client.close()

    asyncio.run(main())
