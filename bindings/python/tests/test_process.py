"""Tests fork and the end of the interpreter with child processes, which must end by themselves and without a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from rtcmsg.emulator import Emulator

LIMIT_S = 60


def run(program: str, environment: dict[str, str]) -> str:
    """Runs the program and returns its output. If it hangs, it and its child processes print where, and end."""
    command = [sys.executable, "-X", "faulthandler", "-c", "import rtcmsg\n" + textwrap.dedent(program)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            output, errors = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGABRT)
            output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    return output


def test_calls_in_a_forked_child_raise_forked_and_a_new_client_works(
    environment: dict[str, str], emulator: Emulator
) -> None:
    program = """
        import os, sys
        client = rtcmsg.Client.from_env()
        message = dict(from_="server", to="alice")
        client.send_unicast(**message, payload="parent")
        client.submit.send_unicast(**message, payload="parent too")
        child = os.fork()
        if child == 0:
            sends = [
                lambda: client.send_unicast(**message, payload="child"),
                lambda: client.submit.send_unicast(**message, payload="child"),
                lambda: client.check.send_unicast(**message, payload="child"),
                lambda: client.call_action(rtcmsg.Vendor.ZEGO, "SendBroadcastMessage", {}),
            ]
            others = [
                lambda: client.poll(timeout=None),
                lambda: client.flush(),
                lambda: client.warm_up(),
                lambda: client.cancel(1),
                lambda: client.close(),
            ]
            for call in sends + others:
                try:
                    call()
                except rtcmsg.Forked as error:
                    assert isinstance(error, rtcmsg.NotSent) is (call in sends)
                else:
                    os._exit(1)
            del client
            with rtcmsg.Client.from_env() as own:
                own.send_unicast(**message, payload="child")
            sys.exit()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.send_unicast(**message, payload="parent again")
        while client.pending:
            client.poll(timeout=None)
        client.close()
        print("done")
    """
    assert run(program, environment) == "done\n"
    assert sorted(map(str, emulator.payloads("volcengine", "alice"))) == [
        "child",
        "parent",
        "parent again",
        "parent too",
    ]


def test_a_fork_while_threads_send_leaves_the_child_able_to_send(
    environment: dict[str, str], emulator: Emulator
) -> None:
    program = """
        import os, threading
        client = rtcmsg.Client.from_env()
        message = dict(from_="server", to="alice", timeout=30)
        stop = threading.Event()
        def send():
            while not stop.is_set():
                client.send_unicast(**message, payload="parent")
        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads: thread.start()
        for _ in range(10):
            child = os.fork()
            if child == 0:
                with rtcmsg.Client.from_env() as own:
                    own.send_unicast(**message, payload="child")
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        for thread in threads: thread.join()
        print("done")
    """
    # Python 3.12 and later warn about a fork in a process with threads.
    assert run(program, {**environment, "PYTHONWARNINGS": "ignore"}) == "done\n"
    assert emulator.payloads("volcengine", "alice").count("child") == 10


def test_a_pool_of_processes_sends(environment: dict[str, str], emulator: Emulator) -> None:
    program = """
        import multiprocessing
        def send(number):
            with rtcmsg.Client.from_env() as client:
                return client.send_unicast(from_="server", to="alice", payload=str(number))
        client = rtcmsg.Client.from_env()
        client.send_unicast(from_="server", to="alice", payload="parent")
        with multiprocessing.get_context("fork").Pool(2) as pool:
            reports = pool.map(send, range(4))
        print({report.code.name for report in reports})
    """
    assert run(program, environment) == "{'OK'}\n"
    assert len(emulator.payloads("volcengine", "alice")) == 5


ENDINGS = {
    "submitted and not polled": """
        client = rtcmsg.Client.from_env()
        for _ in range(50):
            client.submit(unordered=True).send_unicast(from_="server", to="alice", payload="hello")
    """,
    "in flight to a vendor that never answers": """
        client = rtcmsg.Client.from_env()
        for _ in range(50):
            client.submit(unordered=True).send_unicast(from_="server", to="stuck", payload="hello", timeout=3600)
    """,
    "sent by threads that nobody waits for": """
        import threading
        client = rtcmsg.Client.from_env()
        def send():
            try:
                client.send_unicast(from_="server", to="stuck", payload="hello", timeout=3600)
            except rtcmsg.Closed:
                pass
        for _ in range(4):
            threading.Thread(target=send, daemon=True).start()
    """,
    "polled by a thread that nobody waits for": """
        import threading
        client = rtcmsg.Client.from_env()
        threading.Thread(target=client.poll, args=(None,), daemon=True).start()
    """,
    "awaited by a loop that was dropped": """
        import asyncio
        client = rtcmsg.AsyncClient.from_env()
        async def main():
            task = asyncio.create_task(client.send_unicast(from_="server", to="stuck", payload="x", timeout=3600))
            await asyncio.sleep(0.05)
        asyncio.run(main())
    """,
    "in a cycle that only the collector finds": """
        class Service: pass
        service = Service()
        service.client = rtcmsg.Client.from_env()
        service.itself = service
        service.client.submit.send_unicast(from_="server", to="stuck", payload="hello", timeout=3600)
    """,
    "of a client that was freed": """
        import gc
        client = rtcmsg.Client.from_env()
        client.submit.send_unicast(from_="server", to="stuck", payload="hello", timeout=3600)
        del client
        gc.collect()
    """,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interpreter_ends_with_messages(ending: str, environment: dict[str, str], emulator: Emulator) -> None:
    emulator.post("faults", vendor="volcengine", user="stuck", stall=True)
    run(ENDINGS[ending], environment)
    if ending == "submitted and not polled":
        assert emulator.payloads("volcengine", "alice") == ["hello"] * 50
