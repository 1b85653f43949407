"""The emulator as a child process: it is ready in time or is ended, and it ends with the process that started it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

from rtcmsg import emulator as module
from rtcmsg.emulator import Emulator


def answers(url: str) -> bool:
    address = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def until_it_is_gone(url: str) -> None:
    deadline = time.monotonic() + 60
    while answers(url):
        assert time.monotonic() < deadline, "the emulator still runs"
        time.sleep(0.01)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_it_ends_with_a_process_that_is_killed(environment: dict[str, str]) -> None:
    program = "from rtcmsg.emulator import Emulator; e = Emulator(); print(e.url, flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert answers(url)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    until_it_is_gone(url)


def test_it_outlives_the_thread_that_started_it() -> None:
    started: list[Emulator] = []
    thread = threading.Thread(target=lambda: started.append(Emulator()))
    thread.start()
    thread.join()
    with started[0] as emulator:
        assert emulator.control("GET", "ledger") == []
    assert not answers(emulator.url)


def test_it_can_be_closed_twice() -> None:
    emulator = Emulator()
    emulator.close()
    emulator.close()
    assert emulator._process.returncode == 0


def test_a_program_that_is_not_ready_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_START_TIMEOUT", 0.5)
    pid = tmp_path / "pid"
    with pytest.raises(TimeoutError, match=r"not ready within 0\.5 seconds"):
        Emulator(program=script(tmp_path / "slow", f"echo $$ > {pid}; exec sleep 600"))
    # Its parent has waited for it, so the process id does not exist any more.
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_the_error_of_a_program_that_ends_at_once_has_its_status(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="exited with status 7 before it was ready"):
        Emulator(program=script(tmp_path / "broken", "exit 7"))


def test_the_error_of_a_missing_program_names_it() -> None:
    with pytest.raises(FileNotFoundError, match="/nowhere/rtcmsg-emulator"):
        Emulator(program="/nowhere/rtcmsg-emulator")
