"""Sends to a hundred users at once from gevent: each greenlet waits for its own report, and no thread is started."""

import gevent
from gevent.event import AsyncResult
from gevent.socket import wait_read

import rtcmsg


def watch(client: rtcmsg.Client, waiting: dict[int, AsyncResult]) -> None:
    """Hands each completion to the greenlet that waits for it."""
    while True:
        wait_read(client.event_handle())
        for done in client.poll():
            waiting.pop(done.user_data).set(done.report)


def send(client: rtcmsg.Client, waiting: dict[int, AsyncResult], number: int) -> rtcmsg.Report:
    result = waiting[number] = AsyncResult()
    client.submit(user_data=number).send_unicast(from_="server", to=f"user{number}", payload="dinner is ready")
    report: rtcmsg.Report = result.get()
    return report


with rtcmsg.Client.from_env() as client:
    waiting: dict[int, AsyncResult] = {}
    watcher = gevent.spawn(watch, client, waiting)
    sends = [gevent.spawn(send, client, waiting, number) for number in range(100)]
    for done in gevent.joinall(sends):
        print(done.get().delivery.name)
    watcher.kill()
