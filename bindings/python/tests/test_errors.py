from __future__ import annotations

import ctypes
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import rtcmsg
from rtcmsg import _abi, _library
from rtcmsg._errors import make_error
from rtcmsg.emulator import Emulator

UNICAST: dict[str, Any] = {"from_": "server", "to": "alice", "payload": "hello"}
COMMAND: dict[str, Any] = {"room_id": "lobby", "from_": "server", "to": ["alice"], "payload": "hello"}
IM: dict[str, Any] = {"conversation_id": 1, "sender_id": 2, "msg_type": 3, "user_ids": [4], "payload": "hello"}


@pytest.mark.parametrize(
    "method, message, text",
    [
        ("send_unicast", {**UNICAST, "to": None}, "to must be str, not NoneType"),
        ("send_unicast", {**UNICAST, "to": ["alice"]}, "to must be str, not list"),
        ("send_unicast", {**UNICAST, "from_": b"server"}, "from_ must be str, not bytes"),
        ("send_unicast", {**UNICAST, "payload": None}, "payload must be str or bytes, not NoneType"),
        ("send_unicast", {**UNICAST, "payload": {"a": 1}}, "payload must be str or bytes, not dict"),
        ("send_unicast", {**UNICAST, "timeout": "5"}, "timeout must be a number of seconds or None, not str"),
        ("send_unicast", {**UNICAST, "expires_in": True}, "expires_in must be a number of seconds or None, not bool"),
        ("send_unicast", {**UNICAST, "urgent": 1}, "urgent must be bool, not int"),
        ("send_custom_command_to_users", {**COMMAND, "room_id": 5}, "room_id must be str, not int"),
        ("send_custom_command_to_users", {**COMMAND, "to": "alice"}, "to must be a list of str, not str"),
        ("send_custom_command_to_users", {**COMMAND, "to": None}, "to must be a list of str, not NoneType"),
        ("send_custom_command_to_users", {**COMMAND, "to": ["alice", 5]}, "to[1] must be str, not int"),
        ("p2p_send_message_to_users", {**IM, "conversation_id": "1"}, "conversation_id must be int, not str"),
        ("p2p_send_message_to_users", {**IM, "msg_type": 1.0}, "msg_type must be int, not float"),
        ("p2p_send_message_to_users", {**IM, "sender_id": True}, "sender_id must be int, not bool"),
        ("p2p_send_message_to_users", {**IM, "user_ids": 4}, "user_ids must be a list of int, not int"),
        ("p2p_send_message_to_users", {**IM, "user_ids": [4, None]}, "user_ids[1] must be int, not NoneType"),
    ],
)
def test_a_wrong_type_is_a_type_error_that_names_the_argument(
    client: rtcmsg.Client, method: str, message: dict[str, Any], text: str
) -> None:
    for actions in (client, client.submit, client.check):
        with pytest.raises(TypeError) as caught:
            getattr(actions, method)(**message)
        assert str(caught.value) == text


@pytest.mark.parametrize(
    "method, message, field, text",
    [
        ("send_unicast", {**UNICAST, "to": "a\ud800b"}, "to[0]", "is not UTF-8 at byte 1"),
        ("send_unicast", {**UNICAST, "from_": "\udfff"}, "from", "is not UTF-8 at byte 0"),
        ("send_unicast", {**UNICAST, "payload": "hi\udc80"}, "payload", "is not UTF-8 at byte 2; to send bytes, set RTCMSG_MESSAGE_BINARY (Volcengine RTC only)"),
        ("send_unicast", {**UNICAST, "to": "a\0b"}, "to", "contains '\\0'; Volcengine ids consist of letters, digits, _ @ - and ."),
        ("send_unicast", {**UNICAST, "payload": "x" * 65537}, "payload", "message too long: 65,537 bytes; SendUnicast accepts at most 65,536"),
        ("send_unicast", {**UNICAST, "to": "x" * 1_000_000}, "to", "is 1,000,000 characters long; Volcengine ids have at most 128"),
        ("send_custom_command_to_users", {**COMMAND, "to": ["alice", "\ud83d"]}, "to[1]", "is not UTF-8 at byte 0"),
        ("send_custom_command_to_users", {**COMMAND, "room_id": "a\0"}, "room_id", "contains a NUL character"),
        ("send_custom_command_to_users", {**COMMAND, "payload": b"x"}, "flags", "RTCMSG_MESSAGE_BINARY: SendCustomCommand to users only accepts text"),
        ("send_custom_command_to_users", {**COMMAND, "to": []}, "to", "the list is empty; SendCustomCommand accepts 1 to 100,000 entries, and a separate action sends to all"),
        ("p2p_send_message_to_users", {**IM, "conversation_id": 0}, "conversation_id", "is 0; it must be 1 or more"),
        ("p2p_send_message_to_users", {**IM, "sender_id": -(2**63)}, "sender_id", "is -9223372036854775808; it must be 1 or more"),
        ("p2p_send_message_to_users", {**IM, "sender_id": -(2**63) - 1}, "sender_id", "is -9223372036854775809; it must be 1 or more"),
        ("p2p_send_message_to_users", {**IM, "conversation_id": 2**63}, "conversation_id", "is 9223372036854775808; it must be at most 9,223,372,036,854,775,807"),
        ("p2p_send_message_to_users", {**IM, "msg_type": 2**31}, "msg_type", "is 2147483648; it must be at most 2,147,483,647"),
        ("p2p_send_message_to_users", {**IM, "user_ids": [4, 2**64 + 5]}, "user_ids[1]", "is 18446744073709551621; it must be at most 9,223,372,036,854,775,807"),
        ("p2p_send_message_to_users", {**IM, "user_ids": [10**5000]}, "user_ids[0]", "is a number of 16,610 bits; it must be at most 9,223,372,036,854,775,807"),
        ("send_unicast", {**UNICAST, "timeout": 0}, "timeout", "is 0; it must be more than 0, or math.inf for no limit"),
        ("send_unicast", {**UNICAST, "timeout": -1}, "timeout", "is -1; it must be more than 0, or math.inf for no limit"),
        ("send_unicast", {**UNICAST, "timeout": float("nan")}, "timeout", "is nan; it must be more than 0, or math.inf for no limit"),
        ("send_unicast", {**UNICAST, "timeout": 10**400}, "timeout", "is a number of 1,329 bits; it must be at most 2,147,483 seconds"),
        ("send_unicast", {**UNICAST, "expires_in": 0}, "expires_in", "is 0; it must be more than 0"),
        ("send_unicast", {**UNICAST, "expires_in": float("inf")}, "expires_in", "is inf; it must be at most 2,147,483 seconds"),
    ],
)  # fmt: skip
def test_a_bad_value_is_an_invalid_argument_with_the_library_s_text(
    client: rtcmsg.Client, emulator: Emulator, method: str, message: dict[str, Any], field: str, text: str
) -> None:
    for actions in (client, client.submit, client.check):
        with pytest.raises(rtcmsg.InvalidArgument) as caught:
            getattr(actions, method)(**message)
        assert (caught.value.field, caught.value.message) == (field, text)
        assert str(caught.value) == f"{field}: {text}"
        assert caught.value.report is None
        assert isinstance(caught.value, ValueError)
    assert emulator.control("GET", "ledger") == []


def test_bad_arguments_of_the_other_calls_are_refused(client: rtcmsg.Client) -> None:
    volcengine = rtcmsg.Vendor.VOLCENGINE
    calls: list[tuple[Callable[[], object], str, str]] = [
        (lambda: client.call_action(volcengine, "A\0", "{}", version="2020-12-01"), "action", "contains a NUL character"),
        (lambda: client.call_action(volcengine, "A", "{}", version="\0"), "version", "contains a NUL character"),
        (lambda: client.call_action(volcengine, "A\ud800", "{}", version="1"), "action", "is not UTF-8 at byte 1"),
        (lambda: client.call_action(volcengine, "A", "{\ud800", version="2020-12-01"), "json", "is not UTF-8 at byte 1"),
        (
            lambda: client.call_action(7, "A", "{}"),  # type: ignore[arg-type]
            "vendor",
            "unknown vendor 7; use RTCMSG_VENDOR_VOLCENGINE or RTCMSG_VENDOR_ZEGO",
        ),
        (lambda: client.set_credentials(volcengine, secret="x"), "key_id", "must not be empty"),
        (lambda: client.poll(timeout=-1), "timeout", "is -1; it must be 0 or more, or None for no limit"),
        (lambda: client.poll(limit=-1), "limit", "is -1; it must be from 0 to 1,000,000"),
        (lambda: client.close(-0.5), "timeout", "is -0.5; it must be 0 or more, or None for no limit"),
        (lambda: client.cancel(-1), "id", "is -1; it must be from 0 to 18,446,744,073,709,551,615"),
        (lambda: client.submit(user_data=2**64).send_unicast(**UNICAST), "user_data", "is 18446744073709551616; it must be from 0 to 18,446,744,073,709,551,615"),
        (lambda: client.submit(order_key=-1).send_unicast(**UNICAST), "order_key", "is -1; it must be from 0 to 18,446,744,073,709,551,615"),
    ]  # fmt: skip
    for call, field, text in calls:
        with pytest.raises(rtcmsg.InvalidArgument) as caught:
            call()
        assert (caught.value.field, caught.value.message) == (field, text)


def test_a_flag_of_the_other_struct_is_refused_by_name(client: rtcmsg.Client) -> None:
    lib, identity = _library.library(), ctypes.c_uint64(7)
    user = _abi.Str(b"alice", 5)
    for flags_of_message, flags_of_options, name, owner, other in (
        (_abi.SUBMIT_UNORDERED, 0, "RTCMSG_SUBMIT_UNORDERED", "rtcmsg_send_options", "rtcmsg_message"),
        (_abi.SUBMIT_NO_COMPLETION, 0, "RTCMSG_SUBMIT_NO_COMPLETION", "rtcmsg_send_options", "rtcmsg_message"),
        (0, _abi.MESSAGE_BINARY, "RTCMSG_MESSAGE_BINARY", "rtcmsg_message", "rtcmsg_send_options"),
    ):
        message, options, error = _abi.new_message(), _abi.new_send_options(), _abi.new_error()
        message.action, message.flags = _abi.SEND_UNICAST, flags_of_message
        setattr(message, "from", _abi.Str(b"server", 6))
        message.to, message.to_count = ctypes.pointer(user), 1
        message.payload, message.payload_len = b"hi", 2
        options.flags = flags_of_options
        code = lib.rtcmsg_client_submit(client._handle, message, options, identity, error)
        assert (code, error.field, identity.value) == (rtcmsg.Code.INVALID_ARGUMENT, b"flags", 0)
        assert error.message.decode() == f"{name} is a flag of {owner}, not of {other}"


@pytest.mark.parametrize(
    "code, delivery, classes",
    [
        ("TIMEOUT", "UNKNOWN", (rtcmsg.Timeout, rtcmsg.OutcomeUnknown)),
        ("TIMEOUT", "NOT_SENT", (rtcmsg.Timeout, rtcmsg.NotSent)),
        ("TIMEOUT", "NOT_DELIVERED", (rtcmsg.Timeout, rtcmsg.NotDelivered)),
        ("VENDOR_FAULT", "UNKNOWN", (rtcmsg.VendorFault, rtcmsg.OutcomeUnknown)),
        ("VENDOR_FAULT", "NOT_DELIVERED", (rtcmsg.VendorFault, rtcmsg.NotDelivered)),
        ("THROTTLED", "NOT_DELIVERED", (rtcmsg.Throttled, rtcmsg.NotDelivered)),
        ("CONNECT", "NOT_SENT", (rtcmsg.ConnectionFailed, rtcmsg.NotSent)),
        ("NO_RESOURCES", "NOT_SENT", (rtcmsg.NoResources, rtcmsg.NotSent)),
        ("NO_RESOURCES", None, (rtcmsg.NoResources,)),
        ("CLOSED", "UNKNOWN", (rtcmsg.Closed, rtcmsg.OutcomeUnknown)),
        ("CLOSED", None, (rtcmsg.Closed,)),
        ("FORKED", None, (rtcmsg.Forked,)),
        ("CANCELLED", "NOT_SENT", (rtcmsg.Cancelled, rtcmsg.NotSent)),
        ("CANCELLED", "NOT_DELIVERED", (rtcmsg.NotDelivered,)),
        ("PARTIAL", "NOT_SENT", (rtcmsg.Partial,)),
        ("PARTIAL", "UNKNOWN", (rtcmsg.Partial,)),
        ("TIMEOUT", None, (rtcmsg.Timeout,)),
    ],
)
def test_an_error_has_the_classes_of_its_reason_and_outcome_and_no_other(
    code: str, delivery: str | None, classes: tuple[type[rtcmsg.RtcmsgError], ...]
) -> None:
    report = None
    if delivery:
        report = rtcmsg.Report(rtcmsg.Code[code], rtcmsg.Delivery[delivery], "text", (), (), b"")
    error = make_error(rtcmsg.Code[code], "", "text", report)
    public = [getattr(rtcmsg, name) for name in rtcmsg.__all__]
    errors = [kind for kind in public if isinstance(kind, type) and issubclass(kind, rtcmsg.RtcmsgError)]
    found = {kind for kind in errors if isinstance(error, kind)}
    assert found == {rtcmsg.RtcmsgError, *classes}


@pytest.mark.parametrize(
    "code, classes",
    [
        ("CLOSED", (rtcmsg.Closed, rtcmsg.NotSent)),
        ("FORKED", (rtcmsg.Forked, rtcmsg.NotSent)),
        ("NO_RESOURCES", (rtcmsg.NoResources, rtcmsg.NotSent)),
        ("INTERNAL", (rtcmsg.Internal,)),
    ],
)
def test_a_refused_message_is_not_sent_except_after_a_defect(
    code: str, classes: tuple[type[rtcmsg.RtcmsgError], ...]
) -> None:
    error = make_error(rtcmsg.Code[code], "", "text", refused=True)
    assert all(isinstance(error, kind) for kind in classes)
    assert isinstance(error, rtcmsg.NotSent) is (rtcmsg.NotSent in classes)
    assert type(pickle.loads(pickle.dumps(error))) is type(error)


def test_every_code_that_is_an_error_has_a_class() -> None:
    # A send does not return these codes: cancel() returns False, and the log uses the other one.
    without = {rtcmsg.Code.OK, rtcmsg.Code.NOT_FOUND, rtcmsg.Code.BUFFER_TOO_SMALL}
    plain = {code for code in rtcmsg.Code if type(make_error(code, "", "")) is rtcmsg.RtcmsgError}
    assert plain == without


def test_errors_and_reports_survive_pickle(client: rtcmsg.Client) -> None:
    with pytest.raises(rtcmsg.Undelivered) as caught:
        client.send_custom_command_to_room(room_id="nowhere", from_="server", payload="hello")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), copy.code, copy.message) == (type(caught.value), caught.value.code, caught.value.message)
    assert copy.report == caught.value.report


def test_no_secret_and_no_payload_is_in_an_error(make_client: Callable[..., rtcmsg.Client]) -> None:
    client = make_client(volcengine_secret_key="sesame-sesame")
    with pytest.raises(rtcmsg.Unauthenticated) as caught:
        client.send_unicast(from_="server", to="alice", payload="private matter")
    shown = str(caught.value) + repr(caught.value) + repr(caught.value.report)
    assert "sesame" not in shown
    assert "private" not in shown
