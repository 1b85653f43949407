"""One typed method for each action. The classes that send, submit, check or await a message share these methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ctypes import c_int64
from typing import Generic, TypeVar, Union

from . import _abi, _arguments

Payload = Union[str, bytes, bytearray, memoryview]
Result = TypeVar("Result")


class Actions(Generic[Result]):
    """One method for each action.

    Arguments of all methods:

    - `payload`: text as `str`, or binary as `bytes` if the action supports it. KB is 1,024 bytes.
    - `timeout`: the time limit in seconds for all attempts and all parts of a long list together, including the wait
      for quota (with `submit`: from the first attempt). More than 0; None means the setting `http.timeout_ms`, and
      `math.inf` means no limit.
    - `expires_in`: the maximum time in seconds until the first byte is sent, including the wait for quota. More than 0;
      None means that the message does not expire.
    - `urgent`: the message is sent before normal ones that wait for the same quota or for a worker.

    Ids of Volcengine RTC have 1 to 128 characters: letters, digits, _ @ - and . ; ids of ZEGO are any text without NUL
    of up to `zego.max_id_length` bytes; ids of Volcengine IM are numbers from 1. `from_` is the sender that receivers
    see; it must not be the id of a real user. A list of recipients must not be empty and names each user once.

    A message that is not allowed raises `InvalidArgument`, and an argument of the wrong type raises `TypeError`.
    """

    def _perform(
        self, build: Callable[[], _abi.Message], timeout: float | None, expires_in: float | None, urgent: bool
    ) -> Result:
        """`build` raises the errors of the arguments. With asyncio they are raised by the `await`."""
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
        """Volcengine RTC: to one user who is logged in, outside rooms. Text or binary, up to 64 KB."""
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
        """Volcengine RTC: to one user in a room. Text or binary, up to 64 KB."""
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
        """Volcengine RTC: to users in a room, 600 per request; a longer list is split. Text or binary, up to 20 KB."""
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
        """Volcengine RTC: to all users in a room. Text or binary, up to 64 KB."""
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
        """Volcengine IM: to some members of a conversation who are online.

        One request has up to `volcengine.p2p_max_users` users; a longer list is split. Text, up to
        `volcengine.p2p_max_content` bytes.
        """
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
        """Volcengine IM: to every member of a conversation who is online.

        Text, up to `volcengine.p2p_max_content` bytes.
        """
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
        """Volcengine IM: to every member of a conversation who is online, except those in `user_ids`.

        `user_ids` has 1 to `volcengine.p2p_max_users` members. Text, up to `volcengine.p2p_max_content` bytes.
        """
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
        """ZEGO: to users in a room, 10 per request; a longer list is split.

        `to` must not contain `from_`. Text, up to 1,024 bytes.
        """
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
        """ZEGO: to all users in a room, except a client whose id is `from_`. Text, up to 1,024 bytes."""
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
    """The struct keeps the buffers valid that are assigned to its fields: ctypes holds a reference to each of them."""
    message = _abi.new_message()
    message.action = action
    data, message.flags = _arguments.payload(payload)
    message.payload, message.payload_len = data, len(data)
    return message
