"""The structs, function types and constants of rtcmsg.h for ctypes. `_library` loads the library.

A test compares the layouts with the tables of docs/ABI.md.
"""

from __future__ import annotations

from ctypes import (
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint32,
    c_uint64,
    c_void_p,
    sizeof,
)
from functools import partial
from typing import Any

HEADER_VERSION = 0x000100

MESSAGE_BINARY = 1 << 0
SUBMIT_UNORDERED = 1 << 8
SUBMIT_NO_COMPLETION = 1 << 9

SEND_UNICAST = 101
SEND_ROOM_UNICAST = 102
BATCH_SEND_ROOM_UNICAST = 103
SEND_BROADCAST = 104
P2P_SEND_MESSAGE_TO_USERS = 111
P2P_SEND_MESSAGE_TO_ALL = 112
P2P_SEND_MESSAGE_TO_ALL_EXCEPT = 113
SEND_CUSTOM_COMMAND_TO_USERS = 201
SEND_CUSTOM_COMMAND_TO_ROOM = 202

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
UINT64_MAX = 2**64 - 1


class Str(Structure):
    _fields_ = (("data", c_char_p), ("len", c_size_t))


class Error(Structure):
    _fields_ = (
        ("struct_size", c_size_t),
        ("code", c_int32),
        ("reserved", c_uint32),
        ("field", c_char * 48),
        ("message", c_char * 448),
    )


class Message(Structure):
    _fields_ = (
        ("struct_size", c_size_t),
        ("action", c_uint32),
        ("flags", c_uint32),
        ("room_id", Str),
        ("from", Str),
        ("to", POINTER(Str)),
        ("to_count", c_size_t),
        ("conversation_id", c_int64),
        ("sender_id", c_int64),
        ("user_ids", POINTER(c_int64)),
        ("user_id_count", c_size_t),
        ("msg_type", c_int32),
        ("reserved", c_uint32),
        ("payload", c_char_p),
        ("payload_len", c_size_t),
    )


class SendOptions(Structure):
    _fields_ = (
        ("struct_size", c_size_t),
        ("timeout_ms", c_int32),
        ("expires_in_ms", c_int32),
        ("priority", c_uint32),
        ("flags", c_uint32),
        ("user_data", c_uint64),
        ("order_key", c_uint64),
    )


# An input struct starts with its size, as with RTCMSG_INIT. The callers assign the fields, since keywords cost twice as
# much.
new_error = partial(Error, sizeof(Error))
new_message = partial(Message, sizeof(Message))
new_send_options = partial(SendOptions, sizeof(SendOptions))


class Completion(Structure):
    _fields_ = (
        ("id", c_uint64),
        ("user_data", c_uint64),
        ("code", c_int32),
        ("delivery", c_uint32),
        ("report", c_void_p),
    )


class Request(Structure):
    _fields_ = (
        ("request_id", c_char_p),
        ("vendor_error", c_char_p),
        ("vendor_message", c_char_p),
        ("error_message", c_char_p),
        ("vendor_code", c_int32),
        ("code", c_int32),
        ("delivery", c_uint32),
        ("http_status", c_uint32),
        ("retry_after_ms", c_uint32),
        ("first_attempt", c_uint32),
        ("attempt_count", c_uint32),
        ("reserved", c_uint32),
    )


class Attempt(Structure):
    _fields_ = (
        ("error_message", c_char_p),
        ("code", c_int32),
        ("delivery", c_uint32),
        ("http_status", c_uint32),
        ("reserved", c_uint32),
    )


class Recipient(Structure):
    _fields_ = (
        ("user", c_char_p),
        ("user_id", c_int64),
        ("delivery", c_uint32),
        ("code", c_int32),
        ("vendor_code", c_int32),
        ("request", c_uint32),
        ("first_device", c_uint32),
        ("device_count", c_uint32),
        ("vendor_message", c_char_p),
    )


class Device(Structure):
    _fields_ = (("platform", c_char_p), ("vendor_message", c_char_p), ("delivery", c_uint32), ("reserved", c_uint32))


_CLIENT = _CONFIG = _REPORT = c_void_p
_ERROR = POINTER(Error)
_SIZE_OUT = POINTER(c_size_t)
_CODE = c_int32

# Name: type of the result, types of the arguments.
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "rtcmsg_version": (c_uint32, ()),
    "rtcmsg_config_new": (_CONFIG, ()),
    "rtcmsg_config_free": (None, (_CONFIG,)),
    "rtcmsg_config_set": (_CODE, (_CONFIG, c_char_p, c_char_p, _ERROR)),
    "rtcmsg_config_load_env": (_CODE, (_CONFIG, _ERROR)),
    "rtcmsg_client_new": (_CODE, (_CONFIG, POINTER(_CLIENT), _ERROR)),
    "rtcmsg_client_check": (_CODE, (_CLIENT, POINTER(Message), _ERROR)),
    "rtcmsg_client_send": (_CODE, (_CLIENT, POINTER(Message), POINTER(SendOptions), POINTER(_REPORT), _ERROR)),
    "rtcmsg_client_call_action": (
        _CODE,
        (_CLIENT, c_uint32, c_char_p, c_char_p, Str, POINTER(SendOptions), POINTER(_REPORT), _ERROR),
    ),
    "rtcmsg_client_set_credentials": (_CODE, (_CLIENT, c_uint32, Str, Str, Str, _ERROR)),
    "rtcmsg_client_submit": (_CODE, (_CLIENT, POINTER(Message), POINTER(SendOptions), POINTER(c_uint64), _ERROR)),
    "rtcmsg_client_poll": (_CODE, (_CLIENT, c_int32, POINTER(Completion), c_size_t, c_size_t, _SIZE_OUT, _ERROR)),
    "rtcmsg_client_event_handle": (_CODE, (_CLIENT, POINTER(c_ssize_t), _ERROR)),
    "rtcmsg_client_cancel": (_CODE, (_CLIENT, c_uint64, _ERROR)),
    "rtcmsg_client_pending": (c_size_t, (_CLIENT,)),
    "rtcmsg_client_flush": (_CODE, (_CLIENT, c_int32, _ERROR)),
    "rtcmsg_client_warm_up": (_CODE, (_CLIENT, c_uint32, _ERROR)),
    "rtcmsg_client_stats": (_CODE, (_CLIENT, c_char_p, c_size_t, _SIZE_OUT, _ERROR)),
    "rtcmsg_client_next_log_line": (_CODE, (_CLIENT, POINTER(c_int32), c_char_p, c_size_t, _SIZE_OUT, _ERROR)),
    "rtcmsg_client_close": (_CODE, (_CLIENT, c_int32, _ERROR)),
    "rtcmsg_client_free": (None, (_CLIENT,)),
    "rtcmsg_report_code": (_CODE, (_REPORT,)),
    "rtcmsg_report_delivery": (c_uint32, (_REPORT,)),
    "rtcmsg_report_summary": (c_char_p, (_REPORT,)),
    "rtcmsg_report_recipient_count": (c_size_t, (_REPORT,)),
    "rtcmsg_report_request_count": (c_size_t, (_REPORT,)),
    "rtcmsg_report_request": (POINTER(Request), (_REPORT, c_size_t)),
    "rtcmsg_report_attempt": (POINTER(Attempt), (_REPORT, c_size_t)),
    "rtcmsg_report_recipient": (POINTER(Recipient), (_REPORT, c_size_t)),
    "rtcmsg_report_device": (POINTER(Device), (_REPORT, c_size_t)),
    "rtcmsg_report_body": (c_void_p, (_REPORT, _SIZE_OUT)),
    "rtcmsg_report_free": (None, (_REPORT,)),
}
