from __future__ import annotations

import dataclasses
import gc
import math
import select
from collections.abc import Callable
from typing import Any

import pytest

import rtcmsg
from rtcmsg.emulator import Emulator

MakeClient = Callable[..., rtcmsg.Client]


def test_a_send_gives_the_report_of_every_recipient(client: rtcmsg.Client, emulator: Emulator) -> None:
    report = client.batch_send_room_unicast(room_id="lobby", from_="server", to=["alice", "bob"], payload="hello")
    assert (report.code, report.delivery) == (rtcmsg.Code.OK, rtcmsg.Delivery.ACCEPTED)
    assert [recipient.name for recipient in report.recipients] == ["alice", "bob"]
    assert report.count(rtcmsg.Delivery.ACCEPTED) == 2
    assert report.requests[0].http_status == 200
    assert [attempt.http_status for attempt in report.requests[0].attempts] == [200]
    assert emulator.payloads("volcengine", "bob") == ["hello"]


def test_a_copied_report_equals_a_constructed_one(client: rtcmsg.Client) -> None:
    report = client.p2p_send_message_to_users(
        conversation_id=7221856821303361536, sender_id=10008, msg_type=1000, user_ids=[10001], payload="hello"
    )
    recipient, request = report.recipients[0], report.requests[0]
    for value in (report, recipient, recipient.devices[0], request, request.attempts[0]):
        kind: Any = type(value)
        constructed = kind(**{field.name: getattr(value, field.name) for field in dataclasses.fields(kind)})
        assert (constructed, hash(constructed), repr(constructed)) == (value, hash(value), repr(value))
        assert vars(constructed) == vars(value)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, dataclasses.fields(kind)[0].name, None)


def test_bytes_arrive_as_binary_and_str_as_text(client: rtcmsg.Client, emulator: Emulator) -> None:
    payloads: list[str | bytes | bytearray | memoryview] = [
        "text 你好",
        b"\x00\xff",
        bytearray(b"\x01\x00"),
        memoryview(b"view"),
    ]
    for payload in payloads:
        client.send_unicast(from_="server", to="alice", payload=payload)
    assert emulator.payloads("volcengine", "alice") == ["text 你好", b"\x00\xff", b"\x01\x00", b"view"]


def test_a_long_list_names_the_request_of_each_recipient(client: rtcmsg.Client) -> None:
    with pytest.raises(rtcmsg.Partial) as caught:
        to = ["alice", *(f"absent-{number}" for number in range(10)), "bob"]
        client.send_custom_command_to_users(room_id="lobby", from_="server", to=to, payload="hello")
    report = caught.value.report
    assert [recipient.request for recipient in report.recipients] == [0] * 10 + [1] * 2
    assert report.count(rtcmsg.Delivery.NOT_DELIVERED) == 10


def test_recipients_may_come_from_any_iterable(client: rtcmsg.Client, emulator: Emulator) -> None:
    client.batch_send_room_unicast(room_id="lobby", from_="server", to=(n for n in ("alice", "bob")), payload="hello")
    assert emulator.payloads("volcengine", "alice") == emulator.payloads("volcengine", "bob") == ["hello"]


def test_borrowed_memory_is_valid_until_the_call_returns(client: rtcmsg.Client, emulator: Emulator) -> None:
    gc.collect()
    to = [f"user-{number}" for number in range(600)]
    for user in to[::100]:
        emulator.post("volcengine/join", room_id="lobby", user_id=user)
    for _ in range(20):
        client.batch_send_room_unicast(room_id="lobby", from_="server", to=iter(to), payload="x" * 20_000)
        gc.collect()
    assert all(emulator.payloads("volcengine", user) == ["x" * 20_000] * 20 for user in to[::100])


def test_any_other_action_is_called_by_its_name(client: rtcmsg.Client) -> None:
    arguments = {"ConversationShortId": 7221856821303361536, "Sender": 10008, "Receivers": [10001]}
    with pytest.raises(rtcmsg.Rejected) as caught:
        client.call_action(rtcmsg.Vendor.VOLCENGINE, "BanUserStream", arguments, version="2020-12-01")
    assert caught.value.report is not None
    assert caught.value.report.json()["ResponseMetadata"]["Action"] == "BanUserStream"


def test_call_action_refuses_an_action_that_has_a_method(client: rtcmsg.Client) -> None:
    with pytest.raises(rtcmsg.InvalidArgument) as caught:
        client.call_action(rtcmsg.Vendor.VOLCENGINE, "SendUnicast", "{}", version="2020-12-01")
    assert caught.value.field == "action"


def test_zego_actions_are_called_without_a_version(client: rtcmsg.Client, emulator: Emulator) -> None:
    arguments = {
        "RoomId": "lobby",
        "UserId": "server",
        "UserName": "Server",
        "MessageCategory": 1,
        "MessageContent": "x",
    }
    report = client.call_action(rtcmsg.Vendor.ZEGO, "SendBroadcastMessage", arguments)
    assert report.json()["Code"] == 0
    assert emulator.payloads("zego", "alice") == ["x"]


def test_a_check_raises_what_a_send_would_raise_and_sends_nothing(client: rtcmsg.Client, emulator: Emulator) -> None:
    client.check.send_unicast(from_="server", to="alice", payload="hello")
    with pytest.raises(rtcmsg.InvalidArgument, match="contains ' '"):
        client.check.send_unicast(from_="server", to="a b", payload="hello")
    assert emulator.control("GET", "ledger") == []


def test_later_messages_use_the_new_credentials(client: rtcmsg.Client) -> None:
    client.set_credentials(rtcmsg.Vendor.VOLCENGINE, key_id="AKLTdemo", secret="wrong")
    with pytest.raises(rtcmsg.Unauthenticated) as caught:
        client.send_unicast(from_="server", to="alice", payload="hello")
    assert isinstance(caught.value, rtcmsg.NotDelivered)
    client.set_credentials(
        rtcmsg.Vendor.VOLCENGINE, key_id="AKLTdemo", secret="demo-secret-key==", session_token="demo-session-token"
    )
    client.send_unicast(from_="server", to="alice", payload="hello")


def test_a_deadline_that_passes_is_a_timeout_of_unknown_outcome(client: rtcmsg.Client, emulator: Emulator) -> None:
    emulator.post("faults", vendor="volcengine", stall=True)
    with pytest.raises(rtcmsg.Timeout) as caught:
        client.send_unicast(from_="server", to="alice", payload="hello", timeout=0.2)
    assert isinstance(caught.value, rtcmsg.OutcomeUnknown)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.report is not None
    assert caught.value.report.recipients[0].delivery is rtcmsg.Delivery.UNKNOWN


def test_an_expired_message_is_not_sent(make_client: MakeClient, emulator: Emulator) -> None:
    # The first message uses the quota of this second, so the second message expires while it waits.
    client = make_client(quota_mode="wait", quota_rtc_per_second=1, quota_volcengine_scope="expired")
    client.send_unicast(from_="server", to="alice", payload="first")
    with pytest.raises(rtcmsg.Expired) as caught:
        client.send_unicast(from_="server", to="alice", payload="second", expires_in=0.01)
    assert caught.value.code is rtcmsg.Code.EXPIRED
    assert isinstance(caught.value, rtcmsg.NotSent)
    assert emulator.payloads("volcengine", "alice") == ["first"]


def test_send_options_reach_the_library(client: rtcmsg.Client) -> None:
    message: dict[str, Any] = {"from_": "server", "to": "alice", "payload": "hello"}
    for options in ({"timeout": 5}, {"timeout": math.inf}, {"expires_in": 5.5}, {"urgent": True}, {"timeout": 1e-9}):
        try:
            client.send_unicast(**message, **options)
        except rtcmsg.Timeout:
            assert options == {"timeout": 1e-9}


def test_a_submitted_message_comes_back_with_its_id(client: rtcmsg.Client, emulator: Emulator) -> None:
    ids = [
        client.submit(user_data=number).send_unicast(from_="server", to="alice", payload=str(number))
        for number in range(20)
    ]
    assert client.pending <= 20
    done: list[rtcmsg.Completion] = []
    while len(done) < 20:
        done += client.poll(timeout=None)
    assert client.poll() == []
    assert {completion.id: completion.user_data for completion in done} == dict(zip(ids, range(20)))
    assert all(completion.error is None for completion in done)
    # They have one destination, so they are sent in order.
    assert emulator.payloads("volcengine", "alice") == [str(number) for number in range(20)]
    assert client.pending == 0


def test_a_poll_returns_at_most_limit_completions(client: rtcmsg.Client) -> None:
    for _ in range(5):
        client.submit.send_broadcast(room_id="lobby", from_="server", payload="hello")
    client.flush(60)
    assert [len(client.poll(limit=limit)) for limit in (2, 2, 2, 2)] == [2, 2, 1, 0]


def test_a_submit_is_refused_as_a_send_is(client: rtcmsg.Client) -> None:
    with pytest.raises(rtcmsg.InvalidArgument, match="the message is empty"):
        client.submit.send_unicast(from_="server", to="alice", payload="")
    assert client.pending == 0


def test_a_failed_message_has_its_error_in_the_completion(client: rtcmsg.Client) -> None:
    client.submit.send_custom_command_to_room(room_id="nowhere", from_="server", payload="hello")
    (completion,) = client.poll(timeout=None)
    assert isinstance(completion.error, rtcmsg.Undelivered)
    assert completion.error.report is completion.report


def test_without_a_completion_poll_returns_nothing(client: rtcmsg.Client, emulator: Emulator) -> None:
    client.submit(completion=False).send_unicast(from_="server", to="alice", payload="hello")
    client.flush(60)
    assert (client.pending, client.poll()) == (0, [])
    assert emulator.payloads("volcengine", "alice") == ["hello"]


def test_a_queued_message_can_be_cancelled_and_one_in_flight_cannot(
    make_client: MakeClient, emulator: Emulator
) -> None:
    client = make_client(worker_threads=1)
    emulator.post("faults", vendor="volcengine", count=1, latency_ms=300)
    first = client.submit.send_unicast(from_="server", to="alice", payload="first")
    second = client.submit.send_unicast(from_="server", to="alice", payload="second")
    assert client.cancel(second)
    done = []
    while client.pending:
        done += client.poll(timeout=None)
    codes = {completion.id: completion.report.code for completion in done}
    assert codes == {first: rtcmsg.Code.OK, second: rtcmsg.Code.CANCELLED}
    cancelled = next(completion.error for completion in done if completion.id == second)
    assert isinstance(cancelled, rtcmsg.Cancelled)
    assert not client.cancel(first)
    assert emulator.payloads("volcengine", "alice") == ["first"]


def test_a_full_queue_raises_queue_full(make_client: MakeClient) -> None:
    client = make_client(queue_capacity=2)
    for _ in range(2):
        client.submit.send_unicast(from_="server", to="alice", payload="hello")
    with pytest.raises(rtcmsg.QueueFull):
        client.submit.send_unicast(from_="server", to="alice", payload="hello")


def test_messages_of_one_order_key_are_sent_in_order(client: rtcmsg.Client, emulator: Emulator) -> None:
    for number in range(10):
        to = "alice" if number % 2 else "bob"
        client.submit(order_key=7).send_unicast(from_="server", to=to, payload=str(number))
    client.flush(60)
    ledger = emulator.control("GET", "ledger")
    assert [entry["recipients"][0]["user"] for entry in ledger] == ["bob", "alice"] * 5


def test_a_flush_that_takes_too_long_is_a_timeout(client: rtcmsg.Client, emulator: Emulator) -> None:
    emulator.post("faults", vendor="volcengine", stall=True)
    client.submit.send_unicast(from_="server", to="alice", payload="hello")
    with pytest.raises(rtcmsg.Timeout):
        client.flush(0.05)
    client.close(0)


def test_warm_up_opens_connections(client: rtcmsg.Client, emulator: Emulator) -> None:
    client.warm_up(3)
    client.flush(60)
    assert len(emulator.control("GET", "connections")) >= 3


def test_statistics_count_what_was_done(make_client: MakeClient) -> None:
    client = make_client(queue_capacity=7, worker_threads=2)
    client.send_unicast(from_="server", to="alice", payload="hello")
    with pytest.raises(rtcmsg.Undelivered):
        client.send_custom_command_to_room(room_id="nowhere", from_="server", payload="hello")
    for _ in range(3):
        client.submit.send_unicast(from_="server", to="alice", payload="hello")
    client.flush(60)
    stats = client.stats()
    assert (stats["messages"]["ok"], stats["messages"]["undelivered"], stats["messages"]["internal"]) == (4, 1, 0)
    assert (stats["deliveries"]["accepted"], stats["deliveries"]["not_delivered"]) == (4, 1)
    queue = stats["queue"]
    assert (queue["submitted"], queue["completions"], queue["pending"], queue["depth"]) == (3, 3, 3, 0)
    assert (queue["capacity"], stats["workers"]["limit"], stats["retries"]) == (7, 2, 0)
    assert stats["http"]["connections_opened"] >= 1


def test_the_event_handle_is_readable_exactly_while_a_completion_waits(client: rtcmsg.Client) -> None:
    handle = client.event_handle()
    assert select.select([handle], [], [], 0)[0] == []
    client.submit.send_unicast(from_="server", to="alice", payload="hello")
    assert select.select([handle], [], [], 60)[0] == [handle]
    assert len(client.poll()) == 1
    assert select.select([handle], [], [], 0)[0] == []
    assert client.event_handle() == handle


def test_calls_of_a_closed_client_raise_closed_and_it_can_be_closed_again(client: rtcmsg.Client) -> None:
    client.submit.send_unicast(from_="server", to="alice", payload="hello")
    client.close()
    client.close()
    refused: list[Callable[[], object]] = [
        lambda: client.send_unicast(from_="server", to="alice", payload="hello"),
        lambda: client.submit.send_unicast(from_="server", to="alice", payload="hello"),
        lambda: client.check.send_unicast(from_="server", to="alice", payload="hello"),
        lambda: client.call_action(rtcmsg.Vendor.ZEGO, "SendBroadcastMessage", {}),
    ]
    others: list[Callable[[], object]] = [
        lambda: client.set_credentials(rtcmsg.Vendor.ZEGO, secret="0123456789abcdef0123456789abcdef"),
        lambda: client.cancel(1),
        lambda: client.flush(),
        lambda: client.warm_up(),
        lambda: client.event_handle(),
    ]
    for call in refused + others:
        with pytest.raises(rtcmsg.Closed) as caught:
            call()
        # Only a call with a message raises NotSent.
        assert isinstance(caught.value, rtcmsg.NotSent) is (call in refused)
    # The submitted message still has its completion.
    assert [completion.report.code for completion in client.poll(timeout=None)] == [rtcmsg.Code.OK]
    assert client.poll(timeout=None) == []


def test_the_end_of_with_closes_the_client(emulator: Emulator) -> None:
    with rtcmsg.Client(settings=emulator.settings) as client:
        client.send_unicast(from_="server", to="alice", payload="hello")
    with pytest.raises(rtcmsg.Closed):
        client.send_unicast(from_="server", to="alice", payload="hello")
