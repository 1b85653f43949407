"""Sends messages from a server to users of Volcengine RTC, Volcengine IM and ZEGO, with a report for every recipient.

    import rtcmsg

    with rtcmsg.Client.from_env() as client:
        report = client.send_unicast(from_="server", to="alice", payload="hello")

`Client` is for threads, and `AsyncClient` is for asyncio. A message that fails raises an `RtcmsgError`; its class says
whether it is safe to send the message again.
"""

from __future__ import annotations

from ._actions import Actions
from ._aio import AsyncClient, AsyncSends
from ._client import Checks, Client, Completion, Submits
from ._errors import (
    BadResponse,
    Cancelled,
    Closed,
    ConnectionFailed,
    Disconnected,
    Expired,
    Forbidden,
    Forked,
    Internal,
    InvalidArgument,
    NoResources,
    NotConfigured,
    NotDelivered,
    NotSent,
    OutcomeUnknown,
    Partial,
    QueueFull,
    RateLimited,
    Rejected,
    RtcmsgError,
    Throttled,
    Timeout,
    Unauthenticated,
    Undelivered,
    Unsupported,
    VendorFault,
    WrongClock,
)
from ._library import LibraryError, library_version
from ._report import Attempt, Code, Delivery, Device, Recipient, Report, Request, Vendor
from ._settings import Settings

__version__ = "0.1.0"

__all__ = [
    "Actions",
    "AsyncClient",
    "AsyncSends",
    "Attempt",
    "BadResponse",
    "Cancelled",
    "Checks",
    "Client",
    "Closed",
    "Code",
    "Completion",
    "ConnectionFailed",
    "Delivery",
    "Device",
    "Disconnected",
    "Expired",
    "Forbidden",
    "Forked",
    "Internal",
    "InvalidArgument",
    "LibraryError",
    "NoResources",
    "NotConfigured",
    "NotDelivered",
    "NotSent",
    "OutcomeUnknown",
    "Partial",
    "QueueFull",
    "RateLimited",
    "Recipient",
    "Rejected",
    "Report",
    "Request",
    "RtcmsgError",
    "Settings",
    "Submits",
    "Throttled",
    "Timeout",
    "Unauthenticated",
    "Undelivered",
    "Unsupported",
    "Vendor",
    "VendorFault",
    "WrongClock",
    "library_version",
]

# Tracebacks then show the name to import.
for _name in __all__:
    globals()[_name].__module__ = __name__
