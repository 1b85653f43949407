"""Sends one message to two users of a ZEGO room. Settings come from the environment (docs/CONFIGURATION.md)."""

import rtcmsg

with rtcmsg.Client.from_env() as client:
    try:
        report = client.send_custom_command_to_users(
            room_id="lobby", from_="server", to=["alice", "bob"], payload="dinner is ready"
        )
    except rtcmsg.Partial as error:  # The others, such as rtcmsg.NotSent, end this program.
        report = error.report
    for recipient in report.recipients:
        print(f"{recipient.user}: {recipient.delivery.name}")
