#!/usr/bin/env python3
"""Sends each message of both vendors once and prints the result for every recipient.

Settings come from the environment (docs/CONFIGURATION.md). It is the program of examples/c/quickstart.c: its tests run it
against the emulator, where alice is online, bob is offline and ghost does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rtcmsg

USERS = ["alice", "bob", "ghost"]
USER_IDS = [10001, 10002, 10003]
ROOM: dict[str, Any] = {"room_id": "lobby", "from_": "server"}
CONVERSATION: dict[str, Any] = {"conversation_id": 7221856821303361536, "sender_id": 10008, "msg_type": 10013}


def show(name: str, everybody: str, send: Callable[..., rtcmsg.Report], **message: Any) -> None:
    """Sends the message and prints a row for each recipient, or one row named `everybody` if the vendor names no recipient."""
    try:
        report = send(**message)
    except rtcmsg.RtcmsgError as error:
        if error.report is None:
            raise  # The message was refused: the error names the field.
        report = error.report
    rows = [(recipient.name, recipient.delivery, recipient.vendor_message) for recipient in report.recipients]
    for user, delivery, vendor_message in rows or [(everybody, report.delivery, "")]:
        print(f"{name:<28} {user:<14} {delivery.name:<22} {vendor_message}")


def main() -> None:
    with rtcmsg.Client.from_env() as client:
        show("SendUnicast", "", client.send_unicast, from_="server", to="alice", payload="unicast: you have mail")
        show("SendRoomUnicast", "", client.send_room_unicast, **ROOM, to="alice", payload="room unicast: your turn")
        batch = client.batch_send_room_unicast
        show("BatchSendRoomUnicast", "", batch, **ROOM, to=USERS, payload=b"\x00\x01\xfe\xff")
        show("SendBroadcast", "(room lobby)", client.send_broadcast, **ROOM, payload="broadcast: round 2 begins")

        to_users = client.p2p_send_message_to_users
        show("P2PSendMessage", "", to_users, **CONVERSATION, user_ids=USER_IDS, payload='{"type":1000}')
        to_all = client.p2p_send_message_to_all
        show("P2PSendMessage to all", "(conversation)", to_all, **CONVERSATION, payload='{"type":1001}')
        to_all_except = client.p2p_send_message_to_all_except
        leave_out = [10002]
        show(
            "P2PSendMessage to all except",
            "(conversation)",
            to_all_except,
            **CONVERSATION,
            user_ids=leave_out,
            payload='{"type":1002}',
        )

        command = client.send_custom_command_to_users
        show("SendCustomCommand", "", command, **ROOM, to=USERS, payload="命令: 你好 a+b")
        to_room = client.send_custom_command_to_room
        show("SendCustomCommand to room", "(room lobby)", to_room, **ROOM, payload="command: everybody up")


if __name__ == "__main__":
    main()
