"""The exceptions: one class for each reason, and three classes that say whether it is safe to send again.

An exception has the class of its reason. If it concerns a message, it also has the class of its outcome: a `Timeout`
after which the message may have arrived is also an `OutcomeUnknown`, and a `Timeout` before the first byte is also a
`NotSent`. A program can catch either class.
"""

from __future__ import annotations

import functools
from typing import NoReturn

from . import _abi
from ._report import Code, Delivery, Report, text


class RtcmsgError(Exception):
    """The base class of all exceptions of this package, except `LibraryError`. It says why a call failed.

    A program can catch the outcome: after `NotSent` and `NotDelivered` it is safe to send again, when the reason is
    gone; after `OutcomeUnknown` only if a duplicate is harmless; after `Partial` only to the recipients in
    `report.recipients` that are not sent or not delivered. Or it can catch the reason, such as `Throttled`.
    """

    code: Code
    field: str
    """The field, argument or setting that is wrong, such as `to[3]` or `zego.app_id`; otherwise empty."""
    message: str
    """One sentence for a person: what is wrong and what is allowed. It contains no secret and no payload."""
    report: Report | None
    """The result of the message; None if the message was not accepted."""

    def __init__(self, code: Code, field: str, message: str, report: Report | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.code, self.field, self.message, self.report = code, field, message, report

    def __reduce__(self) -> tuple[object, ...]:
        return make_error, (self.code, self.field, self.message, self.report, isinstance(self, NotSent))


class NotSent(RtcmsgError):
    """Outcome: no byte of the request can have reached the vendor. It is safe to send again."""


class NotDelivered(RtcmsgError):
    """Outcome: the vendor answered that no recipient got the message. It is safe to send again."""


class OutcomeUnknown(RtcmsgError):
    """Outcome: bytes were sent, but no response settles the result. Send again only if a duplicate is harmless."""


class Partial(RtcmsgError):
    """Recipients differ: some got the message or may have got it, others did not.

    Send again only to those in `report.recipients` that are not sent or not delivered.
    """

    report: Report


class InvalidArgument(NotSent, ValueError):
    """A field, setting or argument is not allowed. `field` names it, and `message` says what is allowed."""


class Unsupported(NotSent):
    """A field is set that the loaded version of the library does not support."""


class NotConfigured(NotSent):
    """The client lacks a setting that this message needs. `field` names it."""


class QueueFull(NotSent):
    """The queue is full (`queue.capacity`, `queue.max_bytes`). Poll, or submit later."""


class Expired(NotSent):
    """The message expired (`expires_in`) before any byte was sent."""


class Cancelled(NotSent):
    """The message was cancelled while it was queued."""


class Forked(RtcmsgError):
    """The client was created before a fork. Create a new one in the child process."""


class NoResources(RtcmsgError):
    """The operating system refused a thread, a file descriptor or memory.

    Look at the limits of the process and of its container (pids, RLIMIT_NPROC, RLIMIT_NOFILE).
    """


class RateLimited(RtcmsgError):
    """The rate limit would not admit the request before its deadline.

    `report.requests[0].retry_after` is the earliest time to retry.
    """


class Closed(RtcmsgError):
    """The client is closed. If the message was in flight, `report` has its delivery."""


class ConnectionFailed(RtcmsgError):
    """The client could not connect to the vendor. `code` says why: RESOLVE, CONNECT, TLS or PROXY."""


class Disconnected(RtcmsgError):
    """The connection ended before the response was complete."""


class Timeout(RtcmsgError, TimeoutError):
    """The deadline passed."""


class BadResponse(RtcmsgError):
    """The response cannot be read as a response of this vendor."""


class Rejected(RtcmsgError):
    """The vendor rejected the request."""


class Unauthenticated(RtcmsgError):
    """The vendor does not accept the credentials or the signature."""


class Forbidden(RtcmsgError):
    """The account is not allowed to do this."""


class Throttled(RtcmsgError):
    """The vendor's rate limit was exceeded."""


class WrongClock(RtcmsgError):
    """The clock of this machine differs too much from the vendor's."""


class VendorFault(RtcmsgError):
    """The vendor's service failed. The outcome class says whether the message may have been sent."""


class Undelivered(RtcmsgError):
    """No recipient got the message: the room or the conversation does not exist, or the users are not online."""


class Internal(RtcmsgError):
    """A defect of the library. Please report it."""


_REASONS: dict[Code, type[RtcmsgError]] = {
    Code.INVALID_ARGUMENT: InvalidArgument,
    Code.UNSUPPORTED: Unsupported,
    Code.NOT_CONFIGURED: NotConfigured,
    Code.QUEUE_FULL: QueueFull,
    Code.RATE_LIMITED: RateLimited,
    Code.EXPIRED: Expired,
    Code.CANCELLED: Cancelled,
    Code.CLOSED: Closed,
    Code.FORKED: Forked,
    Code.NO_RESOURCES: NoResources,
    Code.RESOLVE: ConnectionFailed,
    Code.CONNECT: ConnectionFailed,
    Code.TLS: ConnectionFailed,
    Code.PROXY: ConnectionFailed,
    Code.DISCONNECTED: Disconnected,
    Code.TIMEOUT: Timeout,
    Code.BAD_RESPONSE: BadResponse,
    Code.REJECTED: Rejected,
    Code.UNAUTHENTICATED: Unauthenticated,
    Code.FORBIDDEN: Forbidden,
    Code.THROTTLED: Throttled,
    Code.CLOCK: WrongClock,
    Code.VENDOR_FAULT: VendorFault,
    Code.UNDELIVERED: Undelivered,
    Code.PARTIAL: Partial,
    Code.INTERNAL: Internal,
}

_OUTCOMES: dict[Delivery, type[RtcmsgError]] = {
    Delivery.NOT_SENT: NotSent,
    Delivery.NOT_DELIVERED: NotDelivered,
    Delivery.UNKNOWN: OutcomeUnknown,
}


# Codes that calls without a message, such as flush(), can also return. For a message they mean that it was not sent.
_REFUSALS = (Code.CLOSED, Code.FORKED, Code.NO_RESOURCES)


def make_error(
    code: Code, field: str, message: str, report: Report | None = None, refused: bool = False
) -> RtcmsgError:
    """Creates the exception for a code. `refused`: if `report` is None, a message was not accepted."""
    delivery = report.delivery if report else None
    if refused and report is None and code in _REFUSALS:
        delivery = Delivery.NOT_SENT
    return _class_of(code, delivery)(code, field, message, report)


@functools.cache
def _class_of(code: Code, delivery: Delivery | None) -> type[RtcmsgError]:
    reason = _REASONS.get(code, RtcmsgError)
    outcome = _OUTCOMES.get(delivery) if delivery else None
    # Some recipients have a partial message, so the whole message must not be sent again, whatever its delivery is.
    if outcome is None or reason is Partial or issubclass(reason, outcome):
        return reason
    # A subclass of NotSent says that nothing was sent. Another outcome contradicts that and has precedence.
    if reason is RtcmsgError or issubclass(reason, NotSent):
        return outcome
    return type(reason.__name__, (reason, outcome), {"__doc__": reason.__doc__, "__module__": __package__})


def raise_for(error: _abi.Error, *, refused: bool = False) -> NoReturn:
    """Raises the exception for an error that a function of the library has filled."""
    raise make_error(Code(error.code), text(error.field), text(error.message), refused=refused)


def failure(report: Report) -> RtcmsgError | None:
    """The exception for the report of a message; None if every recipient is accepted or delivered."""
    return None if report.code is Code.OK else make_error(report.code, "", report.summary, report)


def invalid(field: str, message: str) -> InvalidArgument:
    """The exception for a value that does not fit into the types of the library."""
    return InvalidArgument(Code.INVALID_ARGUMENT, field, message)
