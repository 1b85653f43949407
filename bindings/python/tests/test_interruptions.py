"""An exception after a call of the library, from user code in logging or from Ctrl-C, loses no result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rtcmsg
from rtcmsg.emulator import Emulator

MakeClient = Callable[..., rtcmsg.Client]
UNICAST: dict[str, Any] = {"from_": "server", "to": "alice", "payload": "hello"}


class Library:
    """The library. It counts the calls of each function, and can raise an interrupt directly after a function."""

    def __init__(self, client: rtcmsg.Client) -> None:
        self._lib = client._lib
        self.calls: dict[str, int] = {}
        self.interrupts: dict[str, int] = {}
        client._lib = self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            answer = getattr(self._lib, name)(*arguments)
            self.calls[name] = self.calls.get(name, 0) + 1
            assert self.calls[name] < 100, f"{name} is called too often"
            if self.interrupts.get(name):
                self.interrupts[name] -= 1
                raise KeyboardInterrupt
            return answer

        return call


@pytest.fixture
def broken_filter(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """A filter of the program that raises. Logging reports that on standard error."""

    def fail(record: logging.LogRecord) -> bool:
        raise RuntimeError("the filter is broken")

    logger = logging.getLogger("rtcmsg")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addFilter(fail)
    yield
    logger.removeFilter(fail)
    logger.setLevel(level)
    assert "the filter is broken" in capsys.readouterr().err


@pytest.mark.usefixtures("broken_filter")
def test_a_broken_log_filter_loses_no_result(make_client: MakeClient, emulator: Emulator) -> None:
    client = make_client()
    assert client.send_unicast(**UNICAST).code is rtcmsg.Code.OK
    with pytest.raises(rtcmsg.Undelivered):
        client.send_custom_command_to_room(room_id="nowhere", from_="server", payload="hello")
    id = client.submit.send_unicast(**UNICAST)
    assert [completion.id for completion in client.poll(timeout=None)] == [id]
    client.close()
    assert emulator.payloads("volcengine", "alice") == ["hello"] * 2


@pytest.mark.usefixtures("broken_filter")
def test_a_broken_log_filter_hangs_no_task(emulator: Emulator) -> None:
    async def main() -> None:
        async with rtcmsg.AsyncClient(settings=emulator.settings, quota_mode="off") as client:
            reports = await asyncio.wait_for(asyncio.gather(*(client.send_unicast(**UNICAST) for _ in range(50))), 60)
            assert {report.code for report in reports} == {rtcmsg.Code.OK}
            assert (client.pending, client._unfinished, client._waiting) == (0, {}, {})

    asyncio.run(main())


def test_an_interrupted_send_frees_its_report(client: rtcmsg.Client) -> None:
    library = Library(client)
    library.interrupts["rtcmsg_client_send"] = 1
    with pytest.raises(KeyboardInterrupt):
        client.send_unicast(**UNICAST)
    assert library.calls["rtcmsg_report_free"] == 1


@pytest.mark.parametrize("function", ["rtcmsg_client_poll", "rtcmsg_report_free", "rtcmsg_client_next_log_line"])
def test_the_next_poll_returns_the_completions_of_an_interrupted_poll(client: rtcmsg.Client, function: str) -> None:
    ids = [client.submit.send_unicast(**UNICAST) for _ in range(5)]
    client.flush(60)
    library = Library(client)
    library.interrupts[function] = 2
    done: list[rtcmsg.Completion] = []
    for limit in (4, 5):
        with pytest.raises(KeyboardInterrupt):
            client.poll(limit=limit)
    assert client.pending == 5
    while client.pending:
        done += client.poll(limit=3)
    assert [completion.id for completion in done] == ids
    assert {completion.report.code for completion in done} == {rtcmsg.Code.OK}
    assert library.calls["rtcmsg_report_free"] == 5
    assert client.poll() == []


def test_completions_that_are_never_polled_are_freed_with_the_client(emulator: Emulator) -> None:
    client = rtcmsg.Client(settings=emulator.settings)
    client.submit.send_unicast(**UNICAST)
    client.flush(60)
    library = Library(client)
    library.interrupts["rtcmsg_client_poll"] = 1
    with pytest.raises(KeyboardInterrupt):
        client.poll()
    from rtcmsg._client import _free

    freed: list[str] = []

    class Frees:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda handle: freed.append(name)

    _free(Frees(), client._handle, list(client._unreturned))
    assert freed == ["rtcmsg_report_free", "rtcmsg_client_free"]


@pytest.mark.parametrize("function", ["rtcmsg_client_poll", "rtcmsg_client_next_log_line"])
def test_an_interrupted_loop_still_gives_its_tasks_their_reports(emulator: Emulator, function: str) -> None:
    client = rtcmsg.AsyncClient(settings=emulator.settings, quota_mode="off")
    library = Library(client._client)

    async def main() -> list[rtcmsg.Report]:
        sends = [asyncio.create_task(client.send_unicast(**UNICAST)) for _ in range(20)]
        # After this, all tasks have submitted, and the loop has not yet polled.
        await asyncio.sleep(0)
        library.interrupts[function] = 1
        return await asyncio.gather(*sends)

    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.wait_for(asyncio.shield(task), 60))
    reports = loop.run_until_complete(asyncio.wait_for(task, 60))
    assert [report.code for report in reports] == [rtcmsg.Code.OK] * 20
    assert (client.pending, client._unfinished, client._waiting) == (0, {}, {})
    loop.run_until_complete(client.close())
    loop.close()


def test_a_loop_that_is_interrupted_between_two_tasks_continues(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = rtcmsg.AsyncClient(settings=emulator.settings, quota_mode="off")
    finish, finished = client._finish, 0

    def interrupted(*arguments: Any) -> None:
        nonlocal finished
        finished += 1
        if finished == 2:
            raise KeyboardInterrupt
        finish(*arguments)

    async def main() -> list[rtcmsg.Report]:
        return await asyncio.gather(*(client.send_unicast(**UNICAST) for _ in range(20)))

    monkeypatch.setattr(client, "_finish", interrupted)
    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.wait_for(asyncio.shield(task), 60))
    assert len(loop.run_until_complete(asyncio.wait_for(task, 60))) == 20
    assert (client.pending, client._unfinished, client._waiting) == (0, {}, {})
    loop.run_until_complete(client.close())
    loop.close()


def test_an_interrupted_submit_still_has_its_completion(emulator: Emulator) -> None:
    client = rtcmsg.AsyncClient(settings=emulator.settings, quota_mode="off")
    Library(client._client).interrupts["rtcmsg_client_submit"] = 1
    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(client.send_unicast(**UNICAST))

    async def drained() -> None:
        while client._waiting:
            await asyncio.sleep(0.005)

    loop.run_until_complete(asyncio.wait_for(drained(), 60))
    assert (client.pending, client._unfinished) == (0, {})
    assert emulator.payloads("volcengine", "alice") == ["hello"]
    loop.run_until_complete(client.close())
    loop.close()


def test_a_poll_without_limit_ends_after_a_close_that_was_interrupted(client: rtcmsg.Client) -> None:
    library = Library(client)
    library.interrupts["rtcmsg_client_close"] = 1
    with pytest.raises(KeyboardInterrupt):
        client.close()
    assert client.poll(timeout=None) == []
