"""Runs tests/conformance.json with every way to send, and compares what a Python program gets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rtcmsg
from rtcmsg.emulator import Emulator

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[3] / "tests" / "conformance.json").read_text(encoding="utf-8")
)
METHODS = {
    "SendUnicast": "send_unicast",
    "SendRoomUnicast": "send_room_unicast",
    "BatchSendRoomUnicast": "batch_send_room_unicast",
    "SendBroadcast": "send_broadcast",
    "P2PSendMessageToUsers": "p2p_send_message_to_users",
    "P2PSendMessageToAll": "p2p_send_message_to_all",
    "P2PSendMessageToAllExcept": "p2p_send_message_to_all_except",
    "SendCustomCommandToUsers": "send_custom_command_to_users",
    "SendCustomCommandToRoom": "send_custom_command_to_room",
}
ONE_RECIPIENT = ("SendUnicast", "SendRoomUnicast")
OUTCOMES = {
    rtcmsg.Delivery.NOT_SENT: rtcmsg.NotSent,
    rtcmsg.Delivery.NOT_DELIVERED: rtcmsg.NotDelivered,
    rtcmsg.Delivery.UNKNOWN: rtcmsg.OutcomeUnknown,
}

Settings = dict[str, Any]
Outcome = tuple["rtcmsg.Report | None", "rtcmsg.RtcmsgError | None"]


def arguments(message: dict[str, Any]) -> dict[str, Any]:
    """The members of a message as keywords of the method."""
    keywords = {key: value for key, value in message.items() if key not in ("action", "from")}
    if "from" in message:
        keywords["from_"] = message["from"]
    if "text_repeat" in keywords:
        text, count = keywords.pop("text_repeat")
        keywords["payload"] = text * count
    elif "base64" in keywords:
        keywords["payload"] = base64.b64decode(keywords.pop("base64"))
    else:
        keywords["payload"] = keywords.pop("text")
    if "to_range" in keywords:
        keywords["to"] = recipients_of(message)
        del keywords["to_range"]
    if message["action"] in ONE_RECIPIENT:
        (keywords["to"],) = keywords["to"]
    return keywords


def recipients_of(message: dict[str, Any]) -> list[str]:
    form, count = message["to_range"]
    return [form.replace("%d", str(number)) for number in range(1, count + 1)]


def by_send(settings: Settings, method: str, keywords: dict[str, Any]) -> Outcome:
    with rtcmsg.Client(settings=settings) as client:
        try:
            return getattr(client, method)(**keywords), None
        except rtcmsg.RtcmsgError as error:
            return error.report, error


def by_submit(settings: Settings, method: str, keywords: dict[str, Any]) -> Outcome:
    with rtcmsg.Client(settings=settings) as client:
        try:
            id = getattr(client.submit(user_data=41), method)(**keywords)
        except rtcmsg.RtcmsgError as error:
            return None, error
        (completion,) = client.poll(timeout=60)
        assert (completion.id, completion.user_data) == (id, 41)
        return completion.report, completion.error


def by_await(settings: Settings, method: str, keywords: dict[str, Any]) -> Outcome:
    async def main() -> Outcome:
        async with rtcmsg.AsyncClient(settings=settings) as client:
            try:
                return await getattr(client, method)(**keywords), None
            except rtcmsg.RtcmsgError as error:
                return error.report, error

    return asyncio.run(main())


@pytest.mark.parametrize("send", [by_send, by_submit, by_await])
@pytest.mark.parametrize("case", TABLE["cases"], ids=[case["name"] for case in TABLE["cases"]])
def test_a_case_ends_as_the_table_says(
    rtcmsg_emulator: Emulator, case: dict[str, Any], send: Callable[[Settings, str, dict[str, Any]], Outcome]
) -> None:
    for path, body in TABLE["world"]:
        rtcmsg_emulator.control("POST", path, body)
    for rule in case.get("faults", []):
        rtcmsg_emulator.control("POST", "faults", rule)
    settings = {**rtcmsg_emulator.settings, **TABLE["settings"], **case.get("settings", {})}
    message = case["message"]

    report, error = send(settings, METHODS[message["action"]], arguments(message))

    if "error" in case:
        assert isinstance(error, rtcmsg.NotSent)
        said = {"code": header_name(error.code), "field": error.field, "message": error.message}
        assert (said, report) == (case["error"], None)
        return
    assert report is not None
    assert header_name(report.code) == case["code"]
    assert header_name(report.delivery) == case["delivery"]
    assert (error is None) == (report.code is rtcmsg.Code.OK)
    if error is not None:
        assert (error.code, error.report) == (report.code, report)
        assert isinstance(error, rtcmsg.Partial if report.code is rtcmsg.Code.PARTIAL else OUTCOMES[report.delivery])
    assert len(report.requests) == case["requests"]
    assert sum(len(request.attempts) for request in report.requests) == case["attempts"]
    assert [row_of(recipient) for recipient in report.recipients] == expected_rows(case)
    for key, value in case.get("request", {}).items():
        assert getattr(report.requests[0], key) == value
    for inbox, count in case.get("arrived", {}).items():
        vendor, _, user = inbox.partition(" ")
        assert rtcmsg_emulator.payloads(vendor, user).count(arguments(message)["payload"]) == count


def header_name(value: rtcmsg.Code | rtcmsg.Delivery) -> str:
    """The name of the constant in rtcmsg.h."""
    if isinstance(value, rtcmsg.Delivery):
        return f"RTCMSG_DELIVERY_{value.name}"
    return "RTCMSG_OK" if value is rtcmsg.Code.OK else f"RTCMSG_ERR_{value.name}"


def row_of(recipient: rtcmsg.Recipient) -> dict[str, Any]:
    """A recipient in the form of the table: without members that are 0 or empty."""
    row = {
        "user": recipient.user if recipient.user_id is None else recipient.user_id,
        "delivery": header_name(recipient.delivery),
        "code": header_name(recipient.code),
        "vendor_code": recipient.vendor_code,
        "vendor_message": recipient.vendor_message,
        "devices": [
            {
                "platform": device.platform,
                "vendor_message": device.vendor_message,
                "delivery": header_name(device.delivery),
            }
            for device in recipient.devices
        ],
    }
    return without_nothing(row)


def without_nothing(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value not in (0, "", [])}


def expected_rows(case: dict[str, Any]) -> list[dict[str, Any]]:
    if "each" in case:
        return [{**without_nothing(case["each"]), "user": user} for user in recipients_of(case["message"])]
    return [without_nothing(row) for row in case["recipients"]]
