"""The client for asyncio. It submits every message, and the event loop watches the library's event handle.

Messages need no Python thread: the event loop that waits for completions polls them. The few calls that block
(`call_action`, `flush` and `close`) run on threads that the client owns, so that `close` never waits for other calls.
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
# How many calls of call_action() run at the same time.
_MAX_CALLS = 32


class AsyncClient(Actions[Coroutine[Any, Any, Report]]):
    """Sends messages from asyncio: `await client.send_unicast(...)`. Arguments and exceptions are those of `Client`.

        async with rtcmsg.AsyncClient.from_env() as client:
            await client.send_unicast(from_="server", to="alice", payload="hi")

    Up to `queue.capacity` tasks can wait at the same time, and they need no threads. Messages that one task awaits in
    sequence keep their order. Messages of different tasks have no order, except with `with_options`. If a task is
    cancelled while its message is queued, the message is cancelled; a message in flight continues. Tasks of several
    event loops may share a client.
    """

    def __init__(
        self, *, settings: Mapping[str, Value] | None = None, env: bool = False, **keywords: Unpack[Settings]
    ) -> None:
        self._client = Client(settings=settings, env=env, **keywords)
        self._keys = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Completion]] = {}
        # The number of unfinished messages of each loop. Only the thread of a loop may use the loop.
        self._unfinished: dict[asyncio.AbstractEventLoop, int] = {}
        # Its threads start when they are first needed.
        self._call_threads = ThreadPoolExecutor(_MAX_CALLS, "rtcmsg-call")
        self._closed = False

    @classmethod
    def from_env(cls, **keywords: Unpack[Settings]) -> Self:
        """Creates a client with the settings of the environment (`RTCMSG_ZEGO_APP_ID` and so on).

        Keywords have precedence.
        """
        return cls(env=True, **keywords)

    def with_options(self, *, order_key: int = 0, ordered: bool = False) -> AsyncSends:
        """Orders messages: `await client.with_options(order_key=7).send_unicast(...)`.

        Messages with the same `order_key` (from 1) are sent in the order in which their tasks started to send. Each one
        starts after the previous one has its result. With only `ordered`, this applies to the messages to one
        destination: a user in a room, a user, a room, or a conversation.
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
        # Before the submit, because another loop may get the completion before submit returns.
        self._waiting[key] = future
        try:
            submit = Submits(self._client, flags=flags, user_data=key, order_key=order_key)
            submit._submit_into(id, build, timeout, expires_in, urgent)
        except BaseException:
            # If the message was accepted in spite of the exception, its completion will end the watch.
            if not id.value:
                del self._waiting[key]
                self._unwatch(loop)
            raise
        try:
            completion = await future
        except asyncio.CancelledError:
            # A closed client has already ended the message.
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
        """Passes the available completions to their tasks, also to those of other loops."""
        done: list[Completion] = []
        handed = 0
        try:
            done = self._client.poll()
            for completion in done:
                self._pass_on(loop, completion)
                handed += 1
        except BaseException:
            self._client._keep_for_next_poll(done[handed:])
            # The event handle is not readable for completions that the client kept.
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
            # That loop is closed, so no task waits any more.
            self._waiting.pop(completion.user_data, None)
            self._unfinished.pop(home, None)

    def _finish(self, future: asyncio.Future[Completion], completion: Completion) -> None:
        """Runs in the loop of the future. A second call, after an interruption, has no effect."""
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
        """Like `Client.call_action`, on one of 32 threads of this client.

        Cancelling the task does not end the request.
        """
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
        # A closed client refuses the call immediately, and its threads have ended.
        return call() if self._closed else await _run(self._call_threads, call)

    @property
    def check(self) -> Checks:
        """Like `Client.check`. It does no I/O, so it is not awaited."""
        return self._client.check

    @property
    def pending(self) -> int:
        """The number of messages that are accepted and not complete."""
        return self._client.pending

    async def flush(self, timeout: float | None = None) -> None:
        """Waits until no message is queued or in flight.

        Raises `Timeout` after `timeout` seconds; None means no limit.
        """
        await self._run_on_own_thread(self._client.flush, timeout)

    def warm_up(self, connections: int = 0) -> None:
        """Like `Client.warm_up`. It does not block."""
        self._client.warm_up(connections)

    def set_credentials(
        self, vendor: Vendor, *, secret: str, key_id: str | None = None, session_token: str | None = None
    ) -> None:
        """Like `Client.set_credentials`. It does not block."""
        self._client.set_credentials(vendor, secret=secret, key_id=key_id, session_token=session_token)

    def stats(self) -> dict[str, Any]:
        """Like `Client.stats`. It does not block."""
        return self._client.stats()

    async def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Like `Client.close`. Every task that waits gets its report or exception."""
        await self._run_on_own_thread(self._client.close, timeout)
        self._closed = True
        self._call_threads.shutdown(wait=False)

    async def _run_on_own_thread(self, function: Callable[[float | None], None], timeout: float | None) -> None:
        """Runs `function` on its own thread: a close must not wait for the calls that it ends."""
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
    """Sends messages of an `AsyncClient` in order: see `AsyncClient.with_options`."""

    def __init__(self, client: AsyncClient, *, order_key: int, ordered: bool) -> None:
        self._client, self._order_key = client, order_key
        self._flags = 0 if ordered or order_key else _abi.SUBMIT_UNORDERED

    async def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> Report:
        return await self._client._send(self._flags, self._order_key, build, timeout, expires_in, urgent)


async def _run(executor: Executor, function: Callable[..., Result], *arguments: Any, **keywords: Any) -> Result:
    """Like asyncio.to_thread, which can only use the executor of the loop."""
    run = functools.partial(contextvars.copy_context().run, function, *arguments, **keywords)
    return await asyncio.get_running_loop().run_in_executor(executor, run)
