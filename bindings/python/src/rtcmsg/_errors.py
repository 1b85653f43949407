"""The exceptions: one class for each reason, and three for what the caller may do about it.

An error is of its reason's class and, where a message is concerned, of its outcome's too: a `Timeout` that may have
arrived is an `OutcomeUnknown` as well, one before the first byte a `NotSent`. So each can be caught by either.
"""

from __future__ import annotations

import functools
from typing import NoReturn

from . import _abi
from ._report import Code, Delivery, Report, text


class RtcmsgError(Exception):
    """Why a call failed.

    Catch by what to do: `NotSent` and `NotDelivered` are safe to send again, once the reason is gone; for
    `OutcomeUnknown` only if twice is harmless; for `Partial` look at `report.recipients`. Or catch by reason, such as
    `Throttled`. `RtcmsgError` is all of them.
    """

    code: Code
    field: str
    """The field, argument or setting it is about, such as `to[3]` or `zego.app_id`; empty if none."""
    message: str
    """A sentence: what is wrong and what is allowed. No secret, no payload."""
    report: Report | None
    """What became of the message; None if it was not taken in."""

    def __init__(self, code: Code, field: str, message: str, report: Report | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.code, self.field, self.message, self.report = code, field, message, report

    def __reduce__(self) -> tuple[object, ...]:
        return make_error, (self.code, self.field, self.message, self.report, isinstance(self, NotSent))


class NotSent(RtcmsgError):
    """Outcome: no byte of the request can have reached the vendor. Safe to send again."""


class NotDelivered(RtcmsgError):
    """Outcome: the vendor answered that nobody got it. Safe to send again, once the reason is gone."""


class OutcomeUnknown(RtcmsgError):
    """Outcome: request bytes left and no answer settles it. Send again only if twice is harmless."""


class Partial(RtcmsgError):
    """Recipients differ: some got the message or may have, others did not. `report.recipients` says who."""

    report: Report


class InvalidArgument(NotSent, ValueError):
    """A field, setting or argument is not allowed; `field` names it, the text the limit."""


class Unsupported(NotSent):
    """The loaded library does not know what was asked for."""


class NotConfigured(NotSent):
    """The client lacks a setting that this message needs; `field` names it."""


class QueueFull(NotSent):
    """The queue has no room (`queue.capacity`, `queue.max_bytes`): poll, or submit later."""


class Expired(NotSent):
    """`expires_in` passed before the first byte."""


class Cancelled(NotSent):
    """It was cancelled while still queued."""


class Forked(RtcmsgError):
    """The client was made before a fork: make a new one in the child."""


class NoResources(RtcmsgError):
    """The operating system refused a thread, a file descriptor or memory: look at the limits of the process and its
    container."""


class RateLimited(RtcmsgError):
    """The vendor's quota has no room within the deadline; `report.requests[0].retry_after` says when it would have."""


class Closed(RtcmsgError):
    """The client is closed. If the message was in flight, `report` says what became of it."""


class ConnectionFailed(RtcmsgError):
    """No way to the vendor: no address, no connection, no TLS, or the proxy refuses. `code` says which."""


class Disconnected(RtcmsgError):
    """The connection ended before the answer did."""


class Timeout(RtcmsgError, TimeoutError):
    """The deadline passed."""


class BadResponse(RtcmsgError):
    """What came back is no answer of this vendor."""


class Rejected(RtcmsgError):
    """The vendor refused the request."""


class Unauthenticated(RtcmsgError):
    """The vendor does not accept the credentials or the signature."""


class Forbidden(RtcmsgError):
    """The account may not do this."""


class Throttled(RtcmsgError):
    """The vendor's quota is used up."""


class WrongClock(RtcmsgError):
    """This machine's clock is too far from the vendor's."""


class VendorFault(RtcmsgError):
    """The vendor failed; the outcome says whether the message may have gone out all the same."""


class Undelivered(RtcmsgError):
    """Nobody got the message: the room, the conversation or the users are not there."""


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


# The refusals that can also come from what sends nothing, such as flush().
_REFUSALS = (Code.CLOSED, Code.FORKED, Code.NO_RESOURCES)


def make_error(
    code: Code, field: str, message: str, report: Report | None = None, refused: bool = False
) -> RtcmsgError:
    """The exception for what the library said. `refused`: of a message that was not taken in, if there is no report."""
    delivery = report.delivery if report else None
    if refused and report is None and code in _REFUSALS:
        delivery = Delivery.NOT_SENT
    return _class_of(code, delivery)(code, field, message, report)


@functools.cache
def _class_of(code: Code, delivery: Delivery | None) -> type[RtcmsgError]:
    reason = _REASONS.get(code, RtcmsgError)
    outcome = _OUTCOMES.get(delivery) if delivery else None
    # Some have got a partial message: whatever its least certain part says, it may not be sent again as a whole.
    if outcome is None or reason is Partial or issubclass(reason, outcome):
        return reason
    # The classes below NotSent promise that nothing left, which this outcome denies.
    if reason is RtcmsgError or issubclass(reason, NotSent):
        return outcome
    return type(reason.__name__, (reason, outcome), {"__doc__": reason.__doc__, "__module__": __package__})


def raise_for(error: _abi.Error, *, refused: bool = False) -> NoReturn:
    """Raises what a function of the library wrote into its error."""
    raise make_error(Code(error.code), text(error.field), text(error.message), refused=refused)


def failure(report: Report) -> RtcmsgError | None:
    """The exception for a message that was taken in; None if all is well."""
    return None if report.code is Code.OK else make_error(report.code, "", report.summary, report)


def invalid(field: str, message: str) -> InvalidArgument:
    """For what the library cannot be asked: it does not fit into its types."""
    return InvalidArgument(Code.INVALID_ARGUMENT, field, message)
