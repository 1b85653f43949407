"""Converts Python values to C types.

A value of the wrong type raises a `TypeError`. The library checks all values that fit into the C type. A value that
does not fit raises `InvalidArgument` here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeVar

from . import _abi
from ._errors import invalid

Item = TypeVar("Item")


def utf8(name: str, value: str) -> bytes:
    """A lone surrogate becomes invalid UTF-8, so that the library refuses it and names the position."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {type(value).__name__}")
    return value.encode("utf-8", "surrogatepass")


def c_string(name: str, value: str, *, nul: str = "contains a NUL character") -> bytes:
    """For a parameter that is a NUL-terminated string."""
    data = utf8(name, value)
    if b"\0" in data:
        raise invalid(name, nul)
    return data


def text(name: str, value: str) -> _abi.Str:
    data = utf8(name, value)
    return _abi.Str(data, len(data))


def texts(name: str, values: Iterable[str]) -> list[_abi.Str]:
    return [text(f"{name}[{index}]", value) for index, value in enumerate(_items(name, values, "str"))]


def integer(name: str, value: int, most: int) -> int:
    """For a signed C type, from -most - 1 to most. The library accepts numbers from 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be int, not {type(value).__name__}")
    if value > most:
        raise invalid(name, f"is {shown(value)}; it must be at most {most:,}")
    if value < -most - 1:
        raise invalid(name, f"is {shown(value)}; it must be 1 or more")
    return value


def integers(name: str, values: Iterable[int], most: int) -> list[int]:
    return [integer(f"{name}[{index}]", value, most) for index, value in enumerate(_items(name, values, "int"))]


def unsigned(name: str, value: int, most: int) -> int:
    """For an unsigned C type, from 0 to most."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be int, not {type(value).__name__}")
    if not 0 <= value <= most:
        raise invalid(name, f"is {shown(value)}; it must be from 0 to {most:,}")
    return value


def payload(value: str | bytes | bytearray | memoryview) -> tuple[bytes, int]:
    """Returns the bytes and the flags of the message."""
    if isinstance(value, str):
        return utf8("payload", value), 0
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), _abi.MESSAGE_BINARY
    raise TypeError(f"payload must be str or bytes, not {type(value).__name__}")


def send_options(
    timeout: float | None,
    expires_in: float | None,
    urgent: bool,
    *,
    flags: int = 0,
    user_data: int = 0,
    order_key: int = 0,
) -> _abi.SendOptions:
    """Creates an `rtcmsg_send_options`. Seconds become milliseconds, and None becomes the default of the client."""
    if not isinstance(urgent, bool):
        raise TypeError(f"urgent must be bool, not {type(urgent).__name__}")
    options = _abi.new_send_options()
    if timeout is not None:
        options.timeout_ms = _milliseconds("timeout", timeout, "more than 0, or math.inf for no limit")
    if expires_in is not None:
        options.expires_in_ms = _milliseconds("expires_in", expires_in, "more than 0", has_limit=True)
    options.priority, options.flags = urgent, flags
    options.user_data = unsigned("user_data", user_data, _abi.UINT64_MAX)
    options.order_key = unsigned("order_key", order_key, _abi.UINT64_MAX)
    return options


def wait(timeout: float | None) -> int:
    """Returns the milliseconds to wait: 0 means not at all, and None means no limit."""
    if timeout is None:
        return -1
    return _milliseconds("timeout", timeout, "0 or more, or None for no limit", may_be_zero=True)


def _milliseconds(
    name: str, seconds: float, allowed: str, *, may_be_zero: bool = False, has_limit: bool = False
) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"{name} must be a number of seconds or None, not {type(seconds).__name__}")
    if seconds == math.inf and not has_limit:
        return -1
    # This form of the condition also refuses NaN.
    if not (seconds > 0 or (seconds == 0 and may_be_zero)):
        raise invalid(name, f"is {shown(seconds)}; it must be {allowed}")
    if seconds * 1000 > _abi.INT32_MAX:
        raise invalid(name, f"is {shown(seconds)}; it must be at most {_abi.INT32_MAX // 1000:,} seconds")
    # Rounded up, because 0 milliseconds would mean "do not wait", and in the options the default of the client.
    return math.ceil(seconds * 1000)


def _items(name: str, values: Iterable[Item], of: str) -> list[Item]:
    # A str would be accepted as a list of its characters.
    if isinstance(values, (str, bytes, bytearray)):
        raise TypeError(f"{name} must be a list of {of}, not {type(values).__name__}")
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{name} must be a list of {of}, not {type(values).__name__}") from None


def shown(value: float) -> str:
    """The value as text. Python refuses to convert an int with more than 4,300 digits."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length():,} bits"
    return str(value)
