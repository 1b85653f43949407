"""The messages: one typed method for each action, for all that can be done with a message (send, submit, check, await)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ctypes import c_int64
from typing import Generic, TypeVar, Union

from . import _abi, _arguments

Payload = Union[str, bytes, bytearray, memoryview]
Result = TypeVar("Result")


class Actions(Generic[Result]):
    """One method for each action.

    `payload` is text as `str`, binary as `bytes` where the action takes it. `timeout` is the deadline in seconds of
    all that the message needs, waiting for the vendor's quota and retries included (submitted: from the first attempt);
    None is the client's `http.timeout_ms`, `math.inf` no limit. `expires_in` is the time in seconds within which the
    first byte must leave. `urgent` goes first of those that wait for the same quota.
    """

    def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> Result:
        """`build` raises what is wrong with the arguments: for asyncio where the coroutine is awaited."""
        raise NotImplementedError

    def send_unicast(
        self,
        *,
        from_: str,
        to: str,
        payload: Payload,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """Volcengine RTC, to one user who is logged in, outside rooms. Up to 64 KB, text or binary."""
        return self._perform(
            lambda: _message(_abi.SEND_UNICAST, payload, from_=from_, to=_one(to)), timeout, expires_in, urgent
        )

    def send_room_unicast(
        self,
        *,
        room_id: str,
        from_: str,
        to: str,
        payload: Payload,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """Volcengine RTC, to one user in a room. Up to 64 KB, text or binary."""
        return self._perform(
            lambda: _message(_abi.SEND_ROOM_UNICAST, payload, room_id=room_id, from_=from_, to=_one(to)),
            timeout,
            expires_in,
            urgent,
        )

    def batch_send_room_unicast(
        self,
        *,
        room_id: str,
        from_: str,
        to: Iterable[str],
        payload: Payload,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """Volcengine RTC, to users in a room: 600 a request, longer lists are split. Up to 20 KB, text or binary."""
        return self._perform(
            lambda: _message(
                _abi.BATCH_SEND_ROOM_UNICAST, payload, room_id=room_id, from_=from_, to=_arguments.texts("to", to)
            ),
            timeout,
            expires_in,
            urgent,
        )

    def send_broadcast(
        self,
        *,
        room_id: str,
        from_: str,
        payload: Payload,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """Volcengine RTC, to everybody in a room. Up to 64 KB, text or binary."""
        return self._perform(
            lambda: _message(_abi.SEND_BROADCAST, payload, room_id=room_id, from_=from_), timeout, expires_in, urgent
        )

    def p2p_send_message_to_users(
        self,
        *,
        conversation_id: int,
        sender_id: int,
        msg_type: int,
        user_ids: Iterable[int],
        payload: str,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """Volcengine IM, to some members of a conversation: those who are online get it."""
        return self._perform(
            lambda: _im_message(
                _abi.P2P_SEND_MESSAGE_TO_USERS, payload, conversation_id, sender_id, msg_type, user_ids=user_ids
            ),
            timeout,
            expires_in,
            urgent,
        )

    def p2p_send_message_to_all(
        self,
        *,
        conversation_id: int,
        sender_id: int,
        msg_type: int,
        payload: str,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """Volcengine IM, to every member of a conversation who is online."""
        return self._perform(
            lambda: _im_message(_abi.P2P_SEND_MESSAGE_TO_ALL, payload, conversation_id, sender_id, msg_type),
            timeout,
            expires_in,
            urgent,
        )

    def p2p_send_message_to_all_except(
        self,
        *,
        conversation_id: int,
        sender_id: int,
        msg_type: int,
        user_ids: Iterable[int],
        payload: str,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """Volcengine IM, to every member who is online but those in `user_ids`."""
        return self._perform(
            lambda: _im_message(
                _abi.P2P_SEND_MESSAGE_TO_ALL_EXCEPT, payload, conversation_id, sender_id, msg_type, user_ids=user_ids
            ),
            timeout,
            expires_in,
            urgent,
        )

    def send_custom_command_to_users(
        self,
        *,
        room_id: str,
        from_: str,
        to: Iterable[str],
        payload: str,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """ZEGO, to users in a room: 10 a request, longer lists are split. Text, up to 1,024 bytes."""
        return self._perform(
            lambda: _message(
                _abi.SEND_CUSTOM_COMMAND_TO_USERS, payload, room_id=room_id, from_=from_, to=_arguments.texts("to", to)
            ),
            timeout,
            expires_in,
            urgent,
        )

    def send_custom_command_to_room(
        self,
        *,
        room_id: str,
        from_: str,
        payload: str,
        timeout: float | None = None,
        expires_in: float | None = None,
        urgent: bool = False,
    ) -> Result:
        """ZEGO, to everybody in a room but a client whose id is `from_`. Text, up to 1,024 bytes."""
        return self._perform(
            lambda: _message(_abi.SEND_CUSTOM_COMMAND_TO_ROOM, payload, room_id=room_id, from_=from_),
            timeout,
            expires_in,
            urgent,
        )


def _one(to: str) -> list[_abi.Str]:
    return [_arguments.text("to", to)]


def _message(
    action: int, payload: Payload, *, from_: str, room_id: str | None = None, to: list[_abi.Str] | None = None
) -> _abi.Message:
    message = _with_payload(action, payload)
    setattr(message, "from", _arguments.text("from_", from_))
    if room_id is not None:
        message.room_id = _arguments.text("room_id", room_id)
    if to is not None:
        message.to, message.to_count = (_abi.Str * len(to))(*to), len(to)
    return message


def _im_message(
    action: int,
    payload: Payload,
    conversation_id: int,
    sender_id: int,
    msg_type: int,
    *,
    user_ids: Iterable[int] | None = None,
) -> _abi.Message:
    message = _with_payload(action, payload)
    message.conversation_id = _arguments.integer("conversation_id", conversation_id, _abi.INT64_MAX)
    message.sender_id = _arguments.integer("sender_id", sender_id, _abi.INT64_MAX)
    message.msg_type = _arguments.integer("msg_type", msg_type, _abi.INT32_MAX)
    if user_ids is not None:
        ids = _arguments.integers("user_ids", user_ids, _abi.INT64_MAX)
        message.user_ids, message.user_id_count = (c_int64 * len(ids))(*ids), len(ids)
    return message


def _with_payload(action: int, payload: Payload) -> _abi.Message:
    """The struct keeps alive what is assigned to it: ctypes holds a reference to each buffer."""
    message = _abi.new_message()
    message.action = action
    data, message.flags = _arguments.payload(payload)
    message.payload, message.payload_len = data, len(data)
    return message
