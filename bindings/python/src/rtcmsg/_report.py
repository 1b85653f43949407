"""The report of a message as Python values. They are copied from the report of the library, which is then freed."""

from __future__ import annotations

import ctypes
import enum
import functools
import json
from dataclasses import dataclass
from typing import Any, TypeVar

from . import _abi
from ._library import library

Number = TypeVar("Number", bound=enum.IntEnum)
Value = TypeVar("Value")


class Code(enum.IntEnum):
    """The result of a call or of a message. The numbers are those of `rtcmsg.h`; a newer library may return others."""

    OK = 0
    INVALID_ARGUMENT = -1
    UNSUPPORTED = -2
    NOT_CONFIGURED = -3
    QUEUE_FULL = -4
    RATE_LIMITED = -5
    EXPIRED = -6
    CANCELLED = -7
    CLOSED = -8
    FORKED = -9
    NOT_FOUND = -10
    BUFFER_TOO_SMALL = -11
    NO_RESOURCES = -12
    RESOLVE = -20
    CONNECT = -21
    TLS = -22
    DISCONNECTED = -23
    TIMEOUT = -24
    BAD_RESPONSE = -25
    PROXY = -26
    REJECTED = -40
    UNAUTHENTICATED = -41
    FORBIDDEN = -42
    THROTTLED = -43
    CLOCK = -44
    VENDOR_FAULT = -45
    UNDELIVERED = -46
    PARTIAL = -47
    INTERNAL = -99

    @classmethod
    def _missing_(cls, value: object) -> Code:
        return _unnamed(cls, value)


class Delivery(enum.IntEnum):
    """What is known about the delivery to one recipient, or about a whole message: then it is the least certain one."""

    NOT_SENT = 1
    """No byte of the request can have reached the vendor. Safe to send again."""
    NOT_DELIVERED = 2
    """The vendor answered that this recipient did not get the message. Safe to send again."""
    ACCEPTED = 3
    """The vendor accepted the message and reports nothing more about this recipient."""
    DELIVERED = 4
    """The vendor reports that this recipient got the message."""
    UNKNOWN = 5
    """Bytes were sent, but no response settles the result. Send again only if a duplicate is harmless."""

    @classmethod
    def _missing_(cls, value: object) -> Delivery:
        return _unnamed(cls, value)


class Vendor(enum.IntEnum):
    """The vendors. `VOLCENGINE` is Volcengine RTC and Volcengine IM."""

    VOLCENGINE = 1
    ZEGO = 2


def _unnamed(cls: type[Number], value: object) -> Number:
    """Creates a member for a number of a newer library."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a valid {cls.__name__}")
    member = int.__new__(cls, value)
    member._name_, member._value_ = f"NUMBER_{value}".replace("-", "MINUS_"), value
    return member


@dataclass(frozen=True)
class Attempt:
    """One try of a request. `error_message` is empty on success, and `http_status` is 0 without a response."""

    code: Code
    delivery: Delivery
    error_message: str
    http_status: int


@dataclass(frozen=True)
class Request:
    """One HTTP request of a message, whether it was sent or not."""

    code: Code
    delivery: Delivery
    error_message: str
    """Why the request failed, in one sentence; empty on success."""
    request_id: str
    """The vendor's id of the request, for its support; empty if no response gave one."""
    vendor_error: str
    """The vendor's error code as text, such as `FlowLimitExceeded.QPSOverLimit`; can be empty."""
    vendor_code: int
    """The vendor's error code as a number, or 0."""
    vendor_message: str
    """The vendor's message; can be empty."""
    http_status: int
    """The HTTP status; 0 without a response."""
    retry_after: float
    """The earliest time to retry, in seconds: from the vendor (Retry-After) or the rate limit; 0 if unknown."""
    attempts: tuple[Attempt, ...]
    """Empty if the request never started."""


@dataclass(frozen=True)
class Device:
    """One device of a recipient of Volcengine IM."""

    platform: str
    """`Android`, `IOS`, `Web`, or `Default` for a user who is offline."""
    delivery: Delivery
    vendor_message: str
    """The vendor's message, such as `SUCCESS`."""


@dataclass(frozen=True)
class Recipient:
    """The result of a message for one user."""

    user: str | None
    """The user of Volcengine RTC or ZEGO; None for Volcengine IM."""
    user_id: int | None
    """The user of Volcengine IM; None for the others."""
    code: Code
    delivery: Delivery
    vendor_code: int
    """The vendor's code for this recipient, or 0."""
    vendor_message: str
    """The vendor's message for this recipient, such as `NOT_ONLINE`; can be empty."""
    request: int
    """The index in `Report.requests` of the request to this recipient."""
    devices: tuple[Device, ...]
    """Volcengine IM only."""

    @property
    def name(self) -> str:
        """The user as text, for both vendors."""
        return str(self.user_id) if self.user is None else self.user


@dataclass(frozen=True)
class Report:
    """The result of a message that was accepted for sending. Every recipient has exactly one delivery."""

    code: Code
    delivery: Delivery
    """The least certain delivery of all recipients, in the order UNKNOWN, NOT_SENT, NOT_DELIVERED, ACCEPTED, DELIVERED.
    Members of a conversation who are not among the recipients count as ACCEPTED."""
    summary: str
    """One line for a log, without secrets and payload."""
    recipients: tuple[Recipient, ...]
    """The recipients in the caller's order; empty for a message to a room. For an IM message to all members, or to all
    except some, the members that the vendor reports, in the vendor's order."""
    requests: tuple[Request, ...]
    body: bytes
    """The raw response to `call_action()`, unchanged; empty for messages."""

    def count(self, delivery: Delivery) -> int:
        """Returns the number of recipients with this delivery."""
        return sum(recipient.delivery == delivery for recipient in self.recipients)

    def json(self) -> Any:
        """Returns the response to `call_action()` as a value. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


# The lookup of an enum takes several times as long.
_code, _delivery = functools.cache(Code), functools.cache(Delivery)


def read(handle: int) -> Report:
    """Copies a report of the library. The caller frees that report."""
    lib = library()
    length = ctypes.c_size_t()
    body = lib.rtcmsg_report_body(handle, length)
    recipient, count = lib.rtcmsg_report_recipient, lib.rtcmsg_report_recipient_count(handle)
    request, request_count = lib.rtcmsg_report_request, lib.rtcmsg_report_request_count(handle)
    return _make(
        Report,
        code=_code(lib.rtcmsg_report_code(handle)),
        delivery=_delivery(lib.rtcmsg_report_delivery(handle)),
        summary=text(lib.rtcmsg_report_summary(handle)),
        recipients=tuple([_recipient(handle, recipient(handle, index).contents) for index in range(count)]),
        requests=tuple([_request(handle, request(handle, index).contents) for index in range(request_count)]),
        body=ctypes.string_at(body, length.value) if body else b"",
    )


def _recipient(handle: int, row: _abi.Recipient) -> Recipient:
    user = row.user
    return _make(
        Recipient,
        user=None if user is None else text(user),
        user_id=row.user_id if user is None else None,
        code=_code(row.code),
        delivery=_delivery(row.delivery),
        vendor_code=row.vendor_code,
        vendor_message=text(row.vendor_message),
        request=row.request,
        devices=_devices(handle, row) if user is None else (),
    )


def _devices(handle: int, row: _abi.Recipient) -> tuple[Device, ...]:
    device = library().rtcmsg_report_device
    devices = range(row.first_device, row.first_device + row.device_count)
    return tuple([_device(device(handle, index).contents) for index in devices])


def _device(row: _abi.Device) -> Device:
    return _make(
        Device, platform=text(row.platform), delivery=_delivery(row.delivery), vendor_message=text(row.vendor_message)
    )


def _request(handle: int, row: _abi.Request) -> Request:
    attempt = library().rtcmsg_report_attempt
    attempts = range(row.first_attempt, row.first_attempt + row.attempt_count)
    return _make(
        Request,
        code=_code(row.code),
        delivery=_delivery(row.delivery),
        error_message=text(row.error_message),
        request_id=text(row.request_id),
        vendor_error=text(row.vendor_error),
        vendor_code=row.vendor_code,
        vendor_message=text(row.vendor_message),
        http_status=row.http_status,
        retry_after=row.retry_after_ms / 1000,
        attempts=tuple([_attempt(attempt(handle, index).contents) for index in attempts]),
    )


def _attempt(row: _abi.Attempt) -> Attempt:
    return _make(
        Attempt,
        code=_code(row.code),
        delivery=_delivery(row.delivery),
        error_message=text(row.error_message),
        http_status=row.http_status,
    )


def _make(kind: type[Value], **fields: Any) -> Value:
    """Like `kind(**fields)`, but faster: the `__init__` of a frozen dataclass uses `object.__setattr__`."""
    value = object.__new__(kind)
    value.__dict__.update(fields)
    return value


def text(data: bytes) -> str:
    """Decodes a text of the library, which is UTF-8."""
    return data.decode("utf-8", "replace")
