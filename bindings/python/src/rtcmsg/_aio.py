"""The client for asyncio: every message rides on submit, and the loop watches the library's event handle.

No thread of Python is involved: completions are taken from the library by the loop that waits for them. Those few calls
that block, `call`, `flush` and `close`, have threads that the client owns, so that none waits for another.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import functools
import itertools
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _abi
from ._actions import Actions
from ._client import CLOSE_TIMEOUT, Checks, Client, Completion, Submits
from ._errors import RtcmsgError
from ._report import Report, Vendor
from ._settings import Settings, Value

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


Result = TypeVar("Result")
# How many of call() run at once.
_MAX_CALLS = 32


class AsyncClient(Actions[Coroutine[Any, Any, Report]]):
    """Sends messages from asyncio: `await client.send_unicast(...)`. It takes and raises what `Client` does.

        async with rtcmsg.AsyncClient.from_env() as client:
            await client.send_unicast(from_="server", to="alice", payload="hi")

    Any number of tasks may wait at once, up to `queue.capacity`; they cost no threads. What one task awaits before it
    sends again keeps its order; tasks that send at the same time have none, but with `with_options`. Cancelling the task takes the message back
    if it is still queued; one in flight runs on. Tasks of several loops may share a client.
    """

    def __init__(
        self, *, settings: Mapping[str, Value] | None = None, env: bool = False, **keywords: Unpack[Settings]
    ) -> None:
        self._client = Client(settings=settings, env=env, **keywords)
        self._keys = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Completion]] = {}
        # How many messages each loop has under way. A loop is touched by its own thread alone.
        self._unfinished: dict[asyncio.AbstractEventLoop, int] = {}
        # Its threads start with the first calls.
        self._call_threads = ThreadPoolExecutor(_MAX_CALLS, "rtcmsg-call")
        self._closed = False

    @classmethod
    def from_env(cls, **keywords: Unpack[Settings]) -> Self:
        """A client with the settings of the environment (`RTCMSG_ZEGO_APP_ID` and so on); keywords go before them."""
        return cls(env=True, **keywords)

    def with_options(self, *, order_key: int = 0, ordered: bool = False) -> AsyncSends:
        """`await client.with_options(order_key=7).send_unicast(...)`: messages of one `order_key` leave one after another,
        in the order in which their tasks began to send. `ordered` alone: those to one destination.
        """
        return AsyncSends(self, order_key=order_key, ordered=ordered)

    async def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> Report:
        return await self._send(_abi.SUBMIT_UNORDERED, 0, build, timeout, expires_in, urgent)

    async def _send(
        self,
        flags: int,
        order_key: int,
        build: Callable[[], _abi.Message],
        timeout: float | None,
        expires_in: float | None,
        urgent: bool,
    ) -> Report:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Completion] = loop.create_future()
        key = next(self._keys)
        id = ctypes.c_uint64()
        self._watch(loop)
        # Before the submit: another loop may be faster with the completion.
        self._waiting[key] = future
        try:
            submit = Submits(self._client, flags=flags, user_data=key, order_key=order_key)
            submit._submit_into(id, build, timeout, expires_in, urgent)
        except BaseException:
            # What was taken in all the same has a completion to come, which ends the watch.
            if not id.value:
                del self._waiting[key]
                self._unwatch(loop)
            raise
        try:
            completion = await future
        except asyncio.CancelledError:
            # A closed client ends it anyway.
            with contextlib.suppress(RtcmsgError):
                self._client.cancel(id.value)
            raise
        error = completion.error
        if error:
            raise error
        return completion.report

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop not in self._unfinished:
            self._handle = self._client.event_handle()
            loop.add_reader(self._handle, self._poll_completions, loop)
        self._unfinished[loop] = self._unfinished.get(loop, 0) + 1

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._unfinished[loop] -= 1
        if not self._unfinished[loop]:
            del self._unfinished[loop]
            loop.remove_reader(self._handle)

    def _poll_completions(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hands out the completions that wait, those of other loops, too."""
        done: list[Completion] = []
        handed = 0
        try:
            done = self._client.poll()
            for completion in done:
                self._pass_on(loop, completion)
                handed += 1
        except BaseException:
            self._client._keep_for_next_poll(done[handed:])
            # The event handle does not show what was given back.
            if self._client._unreturned:
                loop.call_soon(self._poll_completions, loop)
            raise

    def _pass_on(self, loop: asyncio.AbstractEventLoop, completion: Completion) -> None:
        future = self._waiting.get(completion.user_data)
        if future is None:
            return
        home = future.get_loop()
        if home is loop:
            self._finish(future, completion)
            return
        try:
            home.call_soon_threadsafe(self._finish, future, completion)
        except RuntimeError:
            # That loop is closed, and with it gone who waited.
            self._waiting.pop(completion.user_data, None)
            self._unfinished.pop(home, None)

    def _finish(self, future: asyncio.Future[Completion], completion: Completion) -> None:
        """In the future's own loop. A second time, after an interruption, does no harm."""
        if not future.done():
            future.set_result(completion)
        if self._waiting.pop(completion.user_data, None) is not None:
            self._unwatch(future.get_loop())

    async def call_action(
        self,
        vendor: Vendor,
        action: str,
        arguments: Mapping[str, Any] | str,
        *,
        version: str | None = None,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Report:
        """As `Client.call_action`, on one of 32 threads of the client's own: cancelling the task does not end it."""
        call = functools.partial(
            self._client.call_action,
            vendor,
            action,
            arguments,
            version=version,
            timeout=timeout,
            expires_in=expires_in,
            urgent=urgent,
        )
        # A closed client refuses at once, and its threads are gone.
        return call() if self._closed else await _run(self._call_threads, call)

    @property
    def check(self) -> Checks:
        """As `Client.check`: no I/O, so nothing to await."""
        return self._client.check

    @property
    def pending(self) -> int:
        """How many messages are under way."""
        return self._client.pending

    async def flush(self, timeout: float | None = None) -> None:
        """Waits until nothing is queued or in flight. `Timeout` after `timeout` seconds."""
        await self._run_on_own_thread(self._client.flush, timeout)

    def warm_up(self, connections: int = 0) -> None:
        """As `Client.warm_up`."""
        self._client.warm_up(connections)

    def set_credentials(
        self, vendor: Vendor, *, secret: str, key_id: str | None = None, session_token: str | None = None
    ) -> None:
        """As `Client.set_credentials`."""
        self._client.set_credentials(vendor, secret=secret, key_id=key_id, session_token=session_token)

    def stats(self) -> dict[str, Any]:
        """As `Client.stats`."""
        return self._client.stats()

    async def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """As `Client.close`: every task that waits gets its answer."""
        await self._run_on_own_thread(self._client.close, timeout)
        self._closed = True
        self._call_threads.shutdown(wait=False)

    async def _run_on_own_thread(self, function: Callable[[float | None], None], timeout: float | None) -> None:
        """On a thread of its own, behind nothing: a close must not wait for the calls that it is to cut short."""
        executor = ThreadPoolExecutor(1, "rtcmsg-wait")
        try:
            await _run(executor, function, timeout)
        finally:
            executor.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncSends(Actions[Coroutine[Any, Any, Report]]):
    """Messages of an `AsyncClient` that keep an order: see `AsyncClient.with_options`."""

    def __init__(self, client: AsyncClient, *, order_key: int, ordered: bool) -> None:
        self._client, self._order_key = client, order_key
        self._flags = 0 if ordered or order_key else _abi.SUBMIT_UNORDERED

    async def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> Report:
        return await self._client._send(self._flags, self._order_key, build, timeout, expires_in, urgent)


async def _run(executor: Executor, function: Callable[..., Result], *arguments: Any, **keywords: Any) -> Result:
    """As asyncio.to_thread, which knows the loop's executor alone."""
    run = functools.partial(contextvars.copy_context().run, function, *arguments, **keywords)
    return await asyncio.get_running_loop().run_in_executor(executor, run)
