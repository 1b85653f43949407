"""The client. It sends a message and waits for the report, or it submits messages and polls for completions."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import logging
import math
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Union

from . import _abi, _arguments, _report
from ._actions import Actions
from ._errors import RtcmsgError, failure, raise_for
from ._library import library
from ._report import Code, Report, Vendor
from ._settings import Settings, Value, configure

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

logger = logging.getLogger("rtcmsg")
# Without this handler Python prints warnings if the program has not configured logging.
_null_handler = logging.NullHandler()
logger.addHandler(_null_handler)

CLOSE_TIMEOUT = 10.0
# The time in seconds for messages in flight if the interpreter ends and the client is not closed.
_EXIT_TIMEOUT = 2.0
# The longest wait inside the library in seconds: Python only handles signals, such as Ctrl-C, between two waits.
_POLL_STEP = 0.5
_LEVELS = ((logging.DEBUG, "debug"), (logging.INFO, "info"), (logging.WARNING, "warn"), (logging.ERROR, "error"))
_LEVEL_OF_NUMBER = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}
# Most calls find no buffered log line, and need no buffer to learn that.
_EMPTY_BUFFER = ctypes.create_string_buffer(0)


@dataclass(frozen=True)
class Completion:
    """The result of a submitted message."""

    id: int
    """The id that `submit` returned."""
    user_data: int
    """The value that was given to `submit`."""
    report: Report

    @property
    def error(self) -> RtcmsgError | None:
        """The exception that a send would have raised; None if every recipient is accepted or delivered."""
        return failure(self.report)


# A completion that was polled and not returned: either converted, or still a row of the library.
_Unreturned = Union[Completion, _abi.Completion]


class Client(Actions[Report]):
    """Sends messages. Any number of threads may use a client at the same time.

    Each method for an action waits for the result. It returns the report if every recipient is accepted or delivered.
    Otherwise it raises an `RtcmsgError`, which has the report.

        with rtcmsg.Client(zego_app_id=1234567890, zego_server_secret="...") as client:
            client.send_custom_command_to_users(room_id="lobby", from_="server", to=["alice"], payload="hi")

    docs/CONFIGURATION.md lists the settings. They are keywords, or the members of `settings`, whose keys have periods.
    With `env=True` the client first reads the environment, and the other settings replace these values. The constructor
    does no network I/O. It raises `InvalidArgument` or `NotConfigured`, which name the setting.

    The client passes log lines to the logger `rtcmsg`, on the thread that calls the client. It does not keep lines
    below the level that this logger has when the client is created.
    """

    def __init__(
        self, *, settings: Mapping[str, Value] | None = None, env: bool = False, **keywords: Unpack[Settings]
    ) -> None:
        self._lib = library()
        # Completions that poll() could not return because of an exception such as Ctrl-C. The next poll() returns them
        # first.
        self._unreturned: deque[_Unreturned] = deque()
        config = configure(keywords, settings or {}, env=env, log_level=_log_level())
        try:
            handle, error = ctypes.c_void_p(), _abi.new_error()
            if self._lib.rtcmsg_client_new(config, handle, error):
                raise_for(error)
        finally:
            self._lib.rtcmsg_config_free(config)
        self._handle = handle.value or 0
        # A thread in a call has a reference to the client, so the client is freed after the last call has returned. It
        # is not freed at the exit of the interpreter, because threads may still be in calls.
        weakref.finalize(self, _free, self._lib, self._handle, self._unreturned).atexit = False
        _open_clients.add(self)

    @classmethod
    def from_env(cls, **keywords: Unpack[Settings]) -> Self:
        """Creates a client with the settings of the environment (`RTCMSG_ZEGO_APP_ID` and so on).

        Keywords have precedence.
        """
        return cls(env=True, **keywords)

    def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> Report:
        message, options = build(), _arguments.send_options(timeout, expires_in, urgent)
        return self._request_report(self._lib.rtcmsg_client_send, message, options)

    def _request_report(self, function: Any, *arguments: Any) -> Report:
        handle, error = ctypes.c_void_p(), _abi.new_error()
        try:
            function(self._handle, *arguments, handle, error)
            report = _report.read(handle.value) if handle.value else None
        finally:
            self._lib.rtcmsg_report_free(handle)
        # After the report is read, because user code in logging may raise.
        self._forward_log_lines()
        if report is None:
            raise_for(error, refused=True)
        failed = failure(report)
        if failed:
            raise failed
        return report

    def call_action(
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
        """Sends another action of a vendor's API, signed. `report.body` and `report.json()` are the response.

        `action` is the vendor's name for it. `arguments` is an object, as a mapping or as JSON. For Volcengine,
        `version` is the date of the action, such as `2020-12-01`; ZEGO has no versions. The actions that have their own
        method are refused. The other arguments and the exceptions are those of the methods for an action.
        """
        body = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        options = _arguments.send_options(timeout, expires_in, urgent)
        return self._request_report(
            self._lib.rtcmsg_client_call_action,
            _arguments.unsigned("vendor", vendor, 2**32 - 1),
            _arguments.c_string("action", action),
            None if version is None else _arguments.c_string("version", version),
            _arguments.text("json", body),
            options,
        )

    @property
    def check(self) -> Checks:
        """Checks a message.

        `client.check.send_unicast(...)` raises what sending would raise before any I/O, and sends nothing.
        """
        return Checks(self)

    @property
    def submit(self) -> Submits:
        """Submits a message: `client.submit.send_unicast(...)` enqueues it and immediately returns its id.

        `poll` returns the result. `client.submit(user_data=7)` sets options: see `Submits`. Raises `QueueFull` if the
        queue is full.
        """
        return Submits(self)

    def poll(self, timeout: float | None = 0.0, *, limit: int = 100) -> list[Completion]:
        """Returns the results of submitted messages, up to `limit` of them.

        Waits up to `timeout` seconds for the first one: 0 means not at all, and None means no limit. The list is empty
        if no message was completed in this time, or if the client is closed and has no message left. Any thread may
        poll.
        """
        limit = _arguments.unsigned("limit", limit, 1_000_000)
        wait = _arguments.wait(timeout)
        deadline = math.inf if wait < 0 else time.monotonic() + wait / 1000
        rows, count = (_abi.Completion * max(limit, 1))(), ctypes.c_size_t()
        done: list[Completion] = []
        raw: list[_abi.Completion] = []
        try:
            while self._unreturned and len(done) + len(raw) < limit:
                unreturned = self._unreturned.popleft()
                if isinstance(unreturned, Completion):
                    done.append(unreturned)
                else:
                    raw.append(unreturned)
            had = len(done) + len(raw)
            if not had:
                self._wait(deadline, rows, limit, count)
            elif had < limit:
                self._wait(time.monotonic(), rows, limit - had, count)
            for row in (*raw, *rows[: count.value]):
                done.append(Completion(row.id, row.user_data, _report.read(row.report)))
                _free_report(self._lib, row)
            # After the reports are read, because user code in logging may raise.
            self._forward_log_lines()
            return done
        except BaseException:
            self._keep_for_next_poll(done, (*raw, *rows[: count.value]))
            raise

    def _wait(self, deadline: float, rows: ctypes.Array[_abi.Completion], limit: int, count: ctypes.c_size_t) -> None:
        """Fills `rows`, with nothing after the deadline or if the client is closed and has no message left."""
        error = _abi.new_error()
        while True:
            began = time.monotonic()
            left = max(0.0, min(deadline - began, _POLL_STEP))
            step = math.ceil(left * 1000)
            if self._lib.rtcmsg_client_poll(
                self._handle, step, rows, ctypes.sizeof(_abi.Completion), limit, count, error
            ):
                raise_for(error)
            now = time.monotonic()
            if count.value or now >= deadline:
                return
            # The library returns early, without rows, if the client is closed and has no message left.
            if now - began < left / 2 and self._is_closed():
                return

    def _is_closed(self) -> bool:
        code = self._lib.rtcmsg_client_event_handle(self._handle, ctypes.c_ssize_t(), None)
        return Code(code) is Code.CLOSED

    def _keep_for_next_poll(self, done: Iterable[Completion], raw: Iterable[_abi.Completion] = ()) -> None:
        """The next poll() returns these completions first."""
        rows = list(raw)
        back: dict[int, _Unreturned] = {row.id: row for row in rows}
        read: dict[int, _Unreturned] = {completion.id: completion for completion in done}
        # Converted completions come before rows, and replace the rows with the same id.
        self._unreturned.extendleft(reversed({**read, **back, **read}.values()))
        for row in rows:
            if row.id in read and row.report:
                _free_report(self._lib, row)

    def event_handle(self) -> int:
        """Returns a file descriptor for your own event loop. It is readable while a completion waits for `poll`.

        It is always the same descriptor. The client owns it: watch it level-triggered, and never read, write or close
        it. If `poll` raised an exception such as Ctrl-C, call `poll` again, because the descriptor is not readable for
        the completions that this `poll` kept.
        """
        handle = ctypes.c_ssize_t()
        self._call(self._lib.rtcmsg_client_event_handle, handle)
        return handle.value

    def cancel(self, id: int) -> bool:
        """Cancels a queued message: returns True, and its completion has the error `Cancelled`.

        Returns False if the message is in flight or complete; it then keeps its own result.
        """
        error = _abi.new_error()
        code = self._lib.rtcmsg_client_cancel(self._handle, _arguments.unsigned("id", id, _abi.UINT64_MAX), error)
        if code == Code.NOT_FOUND:
            return False
        if code:
            raise_for(error)
        return True

    @property
    def pending(self) -> int:
        """The number of messages that are submitted and not yet polled. The setting `queue.capacity` limits it."""
        count: int = self._lib.rtcmsg_client_pending(self._handle)
        return count + len(self._unreturned)

    def flush(self, timeout: float | None = None) -> None:
        """Waits until no message is queued or in flight. Raises `Timeout` after `timeout` seconds; None means no limit.

        The completions remain for `poll`.
        """
        self._call(self._lib.rtcmsg_client_flush, _arguments.wait(timeout))

    def warm_up(self, connections: int = 0) -> None:
        """Opens this number of connections to each vendor in the background, and returns immediately.

        The connections include the TLS handshake. 0 means one connection per worker. `flush` waits for them.
        """
        self._call(self._lib.rtcmsg_client_warm_up, _arguments.unsigned("connections", connections, 2**32 - 1))

    def set_credentials(
        self, vendor: Vendor, *, secret: str, key_id: str | None = None, session_token: str | None = None
    ) -> None:
        """Replaces the credentials of a vendor while the client is in use. All of them change together.

        An attempt that has already started continues with the previous credentials. For ZEGO, `secret` is the
        ServerSecret, and the other arguments must not be given.
        """
        texts = [
            _abi.Str() if value is None else _arguments.text(name, value)
            for name, value in (("key_id", key_id), ("secret", secret), ("session_token", session_token))
        ]
        number = _arguments.unsigned("vendor", vendor, 2**32 - 1)
        self._call(self._lib.rtcmsg_client_set_credentials, number, *texts)

    def stats(self) -> dict[str, Any]:
        """Returns the statistics of docs/METRICS.md."""
        needed, error = ctypes.c_size_t(4096), _abi.new_error()
        while True:
            buffer = ctypes.create_string_buffer(needed.value)
            code = self._lib.rtcmsg_client_stats(self._handle, buffer, len(buffer), needed, error)
            if code == Code.OK:
                stats: dict[str, Any] = json.loads(buffer.value)
                return stats
            if code != Code.BUFFER_TOO_SMALL:
                raise_for(error)

    def close(self, timeout: float | None = CLOSE_TIMEOUT) -> None:
        """Stops accepting messages, waits up to `timeout` seconds for the accepted ones, and then aborts the rest.

        None means no limit. Every call that waits returns or raises with the result of its message, and `poll` still
        returns the completions. Any thread may close a client, any number of times.
        """
        self._call(self._lib.rtcmsg_client_close, _arguments.wait(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, function: Any, *arguments: Any, refused: bool = False) -> None:
        """`refused`: the call concerns a message, which is not accepted if the call fails."""
        error = _abi.new_error()
        code = function(self._handle, *arguments, error)
        self._forward_log_lines()
        if code:
            raise_for(error, refused=refused)

    def _forward_log_lines(self) -> None:
        """Passes the buffered lines to the logger.

        An exception of a filter or handler does not change the result of the call.
        """
        level, buffer, needed = ctypes.c_int32(), _EMPTY_BUFFER, ctypes.c_size_t()
        while True:
            code = self._lib.rtcmsg_client_next_log_line(self._handle, level, buffer, len(buffer), needed, None)
            if code == Code.OK:
                _log_line(_LEVEL_OF_NUMBER.get(level.value, logging.DEBUG), _report.text(buffer.value))
            elif code == Code.BUFFER_TOO_SMALL:
                buffer = ctypes.create_string_buffer(max(needed.value, 1024))
            else:
                return


class Checks(Actions[None]):
    """Checks messages and does not send them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> None:
        message = build()
        _arguments.send_options(timeout, expires_in, urgent)
        self._client._call(self._client._lib.rtcmsg_client_check, message, refused=True)


class Submits(Actions[int]):
    """Enqueues messages. Each method immediately returns the id that the completion will have.

    Messages to one destination (a user in a room, a user, a room, or a conversation) are sent in order.
    """

    def __init__(self, client: Client, *, flags: int = 0, user_data: int = 0, order_key: int = 0) -> None:
        self._client, self._flags, self._user_data, self._order_key = client, flags, user_data, order_key

    def __call__(
        self, *, user_data: int = 0, order_key: int = 0, unordered: bool = False, completion: bool = True
    ) -> Submits:
        """Returns an object with the same methods that submits messages with these options.

        `user_data` is returned in the completion. Messages with the same `order_key` are sent in order: each starts
        after the previous one has its result. An `order_key` of 0 means the destination. With `unordered` the message
        is not ordered with other messages. Without `completion`, `poll` does not return the message, and a failure is
        only logged.
        """
        flags = (_abi.SUBMIT_UNORDERED if unordered else 0) | (0 if completion else _abi.SUBMIT_NO_COMPLETION)
        return Submits(self._client, flags=flags, user_data=user_data, order_key=order_key)

    def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> int:
        id = ctypes.c_uint64()
        self._submit_into(id, build, timeout, expires_in, urgent)
        return id.value

    def _submit_into(
        self,
        id: ctypes.c_uint64,
        build: Callable[[], _abi.Message],
        timeout: float | None,
        expires_in: float | None,
        urgent: bool,
    ) -> None:
        """After an exception, `id` is not 0 if the message was accepted in spite of it."""
        message = build()
        options = _arguments.send_options(
            timeout, expires_in, urgent, flags=self._flags, user_data=self._user_data, order_key=self._order_key
        )
        self._client._call(self._client._lib.rtcmsg_client_submit, message, options, id, refused=True)


def _log_line(level: int, line: str) -> None:
    try:
        logger.log(level, "%s", line)
    except Exception:  # noqa: BLE001
        record = logging.LogRecord(logger.name, level, __file__, 0, "%s", (line,), None)
        with contextlib.suppress(Exception):
            _null_handler.handleError(record)


def _free_report(lib: Any, row: _abi.Completion) -> None:
    # In this order an interruption can leak the report, but never frees it twice.
    handle, row.report = row.report, None
    lib.rtcmsg_report_free(handle)


def _free(lib: Any, handle: int, unreturned: Iterable[_Unreturned]) -> None:
    for row in unreturned:
        if isinstance(row, _abi.Completion):
            _free_report(lib, row)
    lib.rtcmsg_client_free(handle)


def _log_level() -> str:
    """The value of log.buffer_level for the level of the logger."""
    return next((name for level, name in _LEVELS if logger.isEnabledFor(level)), "off")


_open_clients: weakref.WeakSet[Client] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    deadline = time.monotonic() + _EXIT_TIMEOUT
    for client in list(_open_clients):
        try:
            client.close(max(0.0, deadline - time.monotonic()))
        except RtcmsgError:
            # In a forked child the client belongs to the parent.
            continue
