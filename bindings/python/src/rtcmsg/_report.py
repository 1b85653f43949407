"""What became of a message, as values: read once from the library's report, which is freed at once."""

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
    """Why a call ended as it did. The numbers are those of `rtcmsg.h`; a newer library may give others."""

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
    """What is known of a recipient, or of a whole message: then that of its least certain part."""

    NOT_SENT = 1
    """No byte of the request can have reached the vendor. Safe to send again."""
    NOT_DELIVERED = 2
    """The vendor answered that this recipient did not get it. Safe to send again."""
    ACCEPTED = 3
    """The vendor took it and says nothing more of this recipient."""
    DELIVERED = 4
    """The vendor says that this recipient got it."""
    UNKNOWN = 5
    """Request bytes left and no answer settles it. Send again only if twice is harmless."""

    @classmethod
    def _missing_(cls, value: object) -> Delivery:
        return _unnamed(cls, value)


class Vendor(enum.IntEnum):
    VOLCENGINE = 1
    ZEGO = 2


def _unnamed(cls: type[Number], value: object) -> Number:
    """A member for a number of a newer library."""
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no {cls.__name__}")
    member = int.__new__(cls, value)
    member._name_, member._value_ = f"NUMBER_{value}".replace("-", "MINUS_"), value
    return member


@dataclass(frozen=True)
class Attempt:
    """One try of a request, and why it ended. `error_message` is empty on success, `http_status` 0 if no answer came."""

    code: Code
    delivery: Delivery
    error_message: str
    http_status: int


@dataclass(frozen=True)
class Request:
    """One HTTP request, sent or given up."""

    code: Code
    delivery: Delivery
    error_message: str
    """Why it ended like this, in a sentence; empty on success."""
    request_id: str
    """The vendor's id of it, for its support; empty if no answer gave one."""
    vendor_error: str
    """The vendor's error code as text, such as `FlowLimitExceeded.QPSOverLimit`; empty if none."""
    vendor_code: int
    """The vendor's error code as a number, 0 if none."""
    vendor_message: str
    """What the vendor says of it; empty if nothing."""
    http_status: int
    """0 if no answer came."""
    retry_after: float
    """When it may be tried again, in seconds: the vendor's Retry-After, or our own pacing's; 0 if nobody says."""
    attempts: tuple[Attempt, ...]
    """Empty if it never came to one."""


@dataclass(frozen=True)
class Device:
    """One device of a recipient (IM)."""

    platform: str
    """`Android`, `IOS`, `Web`, or `Default` for a user who is offline."""
    delivery: Delivery
    vendor_message: str
    """The vendor's word, such as `SUCCESS`."""


@dataclass(frozen=True)
class Recipient:
    """One recipient of a message."""

    user: str | None
    """Volcengine RTC, ZEGO: the user; None for IM."""
    user_id: int | None
    """IM: the user; None for the others."""
    code: Code
    delivery: Delivery
    vendor_code: int
    """The vendor's code for this recipient, 0 if none."""
    vendor_message: str
    """The vendor's word for this recipient, such as `NOT_ONLINE`; empty if none."""
    request: int
    """Index of the request that carried it, in `Report.requests`."""
    devices: tuple[Device, ...]
    """IM alone."""

    @property
    def name(self) -> str:
        """The user as text, whatever the vendor."""
        return str(self.user_id) if self.user is None else self.user


@dataclass(frozen=True)
class Report:
    """What became of a message: every recipient of it, in the caller's order, with exactly one delivery."""

    code: Code
    delivery: Delivery
    """That of the least certain part, in the order unknown, not sent, not delivered, accepted, delivered. Members of a
    conversation who have no row count as accepted."""
    summary: str
    """One line for a log: no secrets, no payload."""
    recipients: tuple[Recipient, ...]
    """None for a room. For an IM message to all, or to all but some, those that the vendor spoke of."""
    requests: tuple[Request, ...]
    body: bytes
    """The raw answer to `call()`, as it came, with whatever it repeats; empty for messages."""

    def count(self, delivery: Delivery) -> int:
        """How many recipients are of that delivery."""
        return sum(recipient.delivery == delivery for recipient in self.recipients)

    def json(self) -> Any:
        """The answer to `call()` as a value. ValueError if it is no JSON."""
        return json.loads(self.body)


# An enum's own lookup takes several times as long.
_code, _delivery = functools.cache(Code), functools.cache(Delivery)


def read(handle: int) -> Report:
    """Reads a report of the library, which is still to be freed."""
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
    """`kind(**fields)` with all fields: the `__init__` of a frozen class goes around its own lock for each of them."""
    value = object.__new__(kind)
    value.__dict__.update(fields)
    return value


def text(data: bytes) -> str:
    """Text of the library, which is UTF-8."""
    return data.decode("utf-8", "replace")
