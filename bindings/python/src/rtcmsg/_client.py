"""The client: sends and waits, or submits and polls."""

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
# Without it Python prints warnings of a program that has not set up logging.
_null_handler = logging.NullHandler()
logger.addHandler(_null_handler)

CLOSE_TIMEOUT = 10.0
# How long what is in flight may take when the interpreter ends and nobody has closed the client.
_EXIT_TIMEOUT = 2.0
# One wait of poll(): Python looks for signals, such as Ctrl-C, in between.
_POLL_STEP = 0.5
_LEVELS = ((logging.DEBUG, "debug"), (logging.INFO, "info"), (logging.WARNING, "warn"), (logging.ERROR, "error"))
_LEVEL_OF_NUMBER = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}
# Nearly always no log line is kept, and to hear that takes no room.
_EMPTY_BUFFER = ctypes.create_string_buffer(0)


@dataclass(frozen=True)
class Completion:
    """What became of a message that was submitted."""

    id: int
    """What `submit` gave."""
    user_data: int
    """What `submit` was given."""
    report: Report

    @property
    def error(self) -> RtcmsgError | None:
        """The exception that `send` would have raised; None if all is well."""
        return failure(self.report)


# Polled and not handed out: read already, or still the library's.
_Unreturned = Union[Completion, _abi.Completion]


class Client(Actions[Report]):
    """Sends messages. Any number of threads may use one at the same time.

    Each `send_...` waits and gives the report if every recipient is accepted or delivered; otherwise it raises, with
    the report in the exception.

        with rtcmsg.Client(zego_app_id=1234567890, zego_server_secret="...") as client:
            client.send_custom_command_to_users(room_id="lobby", from_="server", to=["alice"], payload="hi")

    Settings are keywords, or `settings` by their keys with dots, or with `env=True` taken from the environment first.
    docs/CONFIGURATION.md lists them. Log lines go to the logger `rtcmsg`, on the thread that calls the client; those
    below its level at the time the client is made are not kept.
    """

    def __init__(
        self, *, settings: Mapping[str, Value] | None = None, env: bool = False, **keywords: Unpack[Settings]
    ) -> None:
        self._lib = library()
        # What an exception such as Ctrl-C kept poll() from giving: the next poll() begins with it.
        self._unreturned: deque[_Unreturned] = deque()
        config = configure(keywords, settings or {}, env=env, log_level=_log_level())
        try:
            handle, error = ctypes.c_void_p(), _abi.new_error()
            if self._lib.rtcmsg_client_new(config, handle, error):
                raise_for(error)
        finally:
            self._lib.rtcmsg_config_free(config)
        self._handle = handle.value or 0
        # A thread in a call holds the client, so that it is freed when the last call has returned. Not at exit: threads
        # may still be in calls then.
        weakref.finalize(self, _free, self._lib, self._handle, self._unreturned).atexit = False
        _open_clients.add(self)

    @classmethod
    def from_env(cls, **keywords: Unpack[Settings]) -> Self:
        """A client with the settings of the environment (`RTCMSG_ZEGO_APP_ID` and so on); keywords go before them."""
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
        # After the report: user code may run in it.
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
        """Sends any other action of the two APIs, signed; `report.body` and `report.json()` are the answer.

        `arguments` is an object, as a mapping or as JSON. For Volcengine `version` is the action's date, such as
        `2020-12-01`; ZEGO has none. The actions that have a method of their own are refused.
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
        """`client.check.send_unicast(...)` raises what sending would raise before any I/O, and sends nothing."""
        return Checks(self)

    @property
    def submit(self) -> Submits:
        """`client.submit.send_unicast(...)` queues the message and gives its id at once; `poll` tells what became of it.

        `client.submit(user_data=7)` sets more: see `Submits`.
        """
        return Submits(self)

    def poll(self, timeout: float | None = 0.0, *, limit: int = 100) -> list[Completion]:
        """What became of messages that were submitted, up to `limit` of them. Any thread.

        Waits up to `timeout` seconds for the first: 0 not at all, None without limit. Empty if there was none in time,
        or if the client is closed and nothing is left.
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
            # After the reports: user code may run in it.
            self._forward_log_lines()
            return done
        except BaseException:
            self._keep_for_next_poll(done, (*raw, *rows[: count.value]))
            raise

    def _wait(self, deadline: float, rows: ctypes.Array[_abi.Completion], limit: int, count: ctypes.c_size_t) -> None:
        """Fills `rows`, with none at the deadline or if the client is closed and nothing is left."""
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
            # Well before its time and empty: that is how a client ends which is closed and has nothing left.
            if now - began < left / 2 and self._is_closed():
                return

    def _is_closed(self) -> bool:
        code = self._lib.rtcmsg_client_event_handle(self._handle, ctypes.c_ssize_t(), None)
        return Code(code) is Code.CLOSED

    def _keep_for_next_poll(self, done: Iterable[Completion], raw: Iterable[_abi.Completion] = ()) -> None:
        """The next poll() begins with these."""
        rows = list(raw)
        back: dict[int, _Unreturned] = {row.id: row for row in rows}
        read: dict[int, _Unreturned] = {completion.id: completion for completion in done}
        # What was read is before what was not, and stands for its row.
        self._unreturned.extendleft(reversed({**read, **back, **read}.values()))
        for row in rows:
            if row.id in read and row.report:
                _free_report(self._lib, row)

    def event_handle(self) -> int:
        """A file descriptor for a loop of one's own: readable exactly while a completion waits for `poll`.

        The client owns it: watch it level-triggered, and never read, write or close it. Always the same one. When an
        exception such as Ctrl-C has come out of `poll`, call `poll` again: what it kept does not show here.
        """
        handle = ctypes.c_ssize_t()
        self._call(self._lib.rtcmsg_client_event_handle, handle)
        return handle.value

    def cancel(self, id: int) -> bool:
        """Takes back a message that is still queued: True, and its completion says `Cancelled`. False: it runs on."""
        error = _abi.new_error()
        code = self._lib.rtcmsg_client_cancel(self._handle, _arguments.unsigned("id", id, _abi.UINT64_MAX), error)
        if code == Code.NOT_FOUND:
            return False
        if code:
            raise_for(error)
        return True

    @property
    def pending(self) -> int:
        """How many messages are submitted and not yet polled: what `queue.capacity` bounds."""
        count: int = self._lib.rtcmsg_client_pending(self._handle)
        return count + len(self._unreturned)

    def flush(self, timeout: float | None = None) -> None:
        """Waits until nothing is queued or in flight; completions stay for `poll`. `Timeout` after `timeout` seconds."""
        self._call(self._lib.rtcmsg_client_flush, _arguments.wait(timeout))

    def warm_up(self, connections: int = 0) -> None:
        """Opens connections ahead, in the background; 0 is as many as there are workers. `flush` waits for them."""
        self._call(self._lib.rtcmsg_client_warm_up, _arguments.unsigned("connections", connections, 2**32 - 1))

    def set_credentials(
        self, vendor: Vendor, *, secret: str, key_id: str | None = None, session_token: str | None = None
    ) -> None:
        """Replaces a vendor's credentials, all together; what is under way keeps those it began with.

        For ZEGO `secret` is the ServerSecret, and the others are not given.
        """
        texts = [
            _abi.Str() if value is None else _arguments.text(name, value)
            for name, value in (("key_id", key_id), ("secret", secret), ("session_token", session_token))
        ]
        number = _arguments.unsigned("vendor", vendor, 2**32 - 1)
        self._call(self._lib.rtcmsg_client_set_credentials, number, *texts)

    def stats(self) -> dict[str, Any]:
        """Counters of the client."""
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
        """Ends intake, waits up to `timeout` seconds for what is under way, then cuts it short.

        Each call under way returns with what is known of it; `poll` still gives the completions. Any thread, as often
        as one likes.
        """
        self._call(self._lib.rtcmsg_client_close, _arguments.wait(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, function: Any, *arguments: Any, refused: bool = False) -> None:
        """`refused`: what fails here is a message that was not taken in."""
        error = _abi.new_error()
        code = function(self._handle, *arguments, error)
        self._forward_log_lines()
        if code:
            raise_for(error, refused=refused)

    def _forward_log_lines(self) -> None:
        """Hands on the lines that the library kept. What a filter or a handler raises is logging's matter, not the call's."""
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
    """Messages that are checked and not sent."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> None:
        message = build()
        _arguments.send_options(timeout, expires_in, urgent)
        self._client._call(self._client._lib.rtcmsg_client_check, message, refused=True)


class Submits(Actions[int]):
    """Messages that are queued: each method gives the id that the completion will have. It never waits.

    Messages to one destination (a user in a room, a user, a room, a conversation) leave one after another.
    """

    def __init__(self, client: Client, *, flags: int = 0, user_data: int = 0, order_key: int = 0) -> None:
        self._client, self._flags, self._user_data, self._order_key = client, flags, user_data, order_key

    def __call__(
        self, *, user_data: int = 0, order_key: int = 0, unordered: bool = False, completion: bool = True
    ) -> Submits:
        """`user_data` comes back in the completion. Messages of one `order_key` leave one after another; 0 is that of
        the destination, and `unordered` frees from it. Without `completion` nobody hears what became of the message.
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
        """`id` tells even after an exception whether the message was taken in."""
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
    # In this order an interruption costs memory at worst, and never frees twice.
    handle, row.report = row.report, None
    lib.rtcmsg_report_free(handle)


def _free(lib: Any, handle: int, unreturned: Iterable[_Unreturned]) -> None:
    for row in unreturned:
        if isinstance(row, _abi.Completion):
            _free_report(lib, row)
    lib.rtcmsg_client_free(handle)


def _log_level() -> str:
    """What the logger wants to hear, for log.buffer_level."""
    return next((name for level, name in _LEVELS if logger.isEnabledFor(level)), "off")


_open_clients: weakref.WeakSet[Client] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    deadline = time.monotonic() + _EXIT_TIMEOUT
    for client in list(_open_clients):
        try:
            client.close(max(0.0, deadline - time.monotonic()))
        except RtcmsgError:
            # In a forked child the client is the parent's.
            continue
