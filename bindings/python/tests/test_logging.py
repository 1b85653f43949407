from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

import rtcmsg

MakeClient = Callable[..., rtcmsg.Client]


def test_the_library_s_lines_are_records_of_the_logger(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "rtcmsg"):
        client = make_client()
        client.send_unicast(from_="server", to="alice", payload="private matter")
        with pytest.raises(rtcmsg.Undelivered):
            client.send_custom_command_to_room(room_id="nowhere", from_="server", payload="hello")
        client.close()
    levels = {record.levelno for record in caplog.records if record.name == "rtcmsg"}
    assert {logging.DEBUG, logging.INFO, logging.WARNING} <= levels
    assert "SendUnicast: accepted" in caplog.text
    assert "RTCMSG_ERR_UNDELIVERED" in caplog.text
    assert "private" not in caplog.text
    assert "demo-secret-key" not in caplog.text


def test_lines_of_submitted_messages_come_with_the_poll(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "rtcmsg"):
        client = make_client()
        client.submit.send_unicast(from_="server", to="alice", payload="hello")
        client.flush(60)
        client.poll()
    assert "SendUnicast: accepted" in caplog.text


def test_lines_below_the_level_of_the_logger_are_not_kept(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "rtcmsg"):
        client = make_client()
        client.send_unicast(from_="server", to="alice", payload="hello")
    assert caplog.records == []


def test_a_setting_has_precedence_over_the_level_of_the_logger(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "rtcmsg"):
        client = make_client(log_buffer_level="off")
        client.send_unicast(from_="server", to="alice", payload="hello")
    assert caplog.records == []
