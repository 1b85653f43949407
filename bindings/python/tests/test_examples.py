"""The examples, run as a user would, against the emulator; and the README shows them as they are."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rtcmsg.emulator import Emulator

TEXT = ["--text", "dinner is ready"]


def run(root: Path, environment: dict[str, str], *command: str, code: int | None = 0) -> str:
    program = [sys.executable, str(root / "examples" / "python" / command[0]), *command[1:]]
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.stderr == ""
    assert code is None or ended.returncode == code
    return ended.stdout


def test_hello_reaches_both(root: Path, environment: dict[str, str], emulator: Emulator) -> None:
    assert run(root, environment, "hello.py") == "alice: ACCEPTED\nbob: ACCEPTED\n"
    for user in ("alice", "bob"):
        assert emulator.payloads("zego", user) == ["dinner is ready"]


def test_hello_says_who_is_not_reached(root: Path, environment: dict[str, str], emulator: Emulator) -> None:
    emulator.post("zego/leave", room_id="lobby", user_id="bob")
    assert run(root, environment, "hello.py") == "alice: ACCEPTED\nbob: NOT_DELIVERED\n"


def test_hello_asyncio_reaches_a_hundred(root: Path, environment: dict[str, str], emulator: Emulator) -> None:
    users = [f"user{number}" for number in range(100)]
    for user in users:
        emulator.post("volcengine/login", user_id=user)
    assert run(root, environment, "hello_asyncio.py") == "ACCEPTED\n" * 100
    assert all(emulator.payloads("volcengine", user) == ["dinner is ready"] for user in users)


def test_the_quickstart_says_what_the_inboxes_hold(root: Path, environment: dict[str, str]) -> None:
    """By the test of the C quickstart, row by row."""
    from rtcmsg.emulator import find

    command = [sys.executable, "tools/demo.py", find(), "examples/python/quickstart.py"]
    demo = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert demo.stdout.endswith("18 rows, 0 wrong\n"), demo.stdout + demo.stderr


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("bindings/python/README.md", "hello.py"),
        ("bindings/python/README.md", "hello_asyncio.py"),
        ("README.md", "hello.py"),
    ],
)
def test_the_readme_shows_the_example_as_it_is(root: Path, page: str, name: str) -> None:
    code = (root / "examples" / "python" / name).read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    assert f"```python\n{code}```" in (root / page).read_text(encoding="utf-8")


def test_the_readme_s_emulator_block_runs_as_it_is(root: Path, environment: dict[str, str], tmp_path: Path) -> None:
    page = (root / "bindings" / "python" / "README.md").read_text(encoding="utf-8")
    (block,) = (code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "with Emulator()" in code)
    program = tmp_path / "block.py"
    program.write_text(block, encoding="utf-8")
    assert run(root, environment, str(program)) == "['hello']\n"


def users_csv(folder: Path, emulator: Emulator, count: int) -> tuple[Path, list[str]]:
    """A list with a BOM, an empty line, and its first user twice; all are logged in."""
    users = [f"user-{number}" for number in range(count)]
    for user in users:
        emulator.post("volcengine/login", user_id=user)
    path = folder / "users.csv"
    path.write_text("\n".join(["name,user", *(f"x,{user}" for user in [*users, users[0]]), "x,"]), encoding="utf-8-sig")
    return path, users


def states(results: Path) -> dict[str, str]:
    with results.open(newline="", encoding="utf-8") as file:
        return {row[0]: row[1] for row in csv.reader(file) if len(row) == 3}


def received(emulator: Emulator, users: list[str]) -> dict[str, int]:
    return {user: len(emulator.payloads("volcengine", user)) for user in users}


def test_a_list_is_notified_once(root: Path, environment: dict[str, str], emulator: Emulator, tmp_path: Path) -> None:
    path, users = users_csv(tmp_path, emulator, 250)
    results = tmp_path / "results.csv"
    for _ in range(2):
        assert run(root, environment, "notify_csv.py", str(path), str(results), *TEXT) == "250 ACCEPTED\n"
    assert received(emulator, users) == dict.fromkeys(users, 1)
    assert states(results) == dict.fromkeys(users, "ACCEPTED")


def test_a_second_run_sends_to_those_alone_who_have_not_got_it(
    root: Path, environment: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    path, users = users_csv(tmp_path, emulator, 20)
    results = tmp_path / "results.csv"
    path.write_text(path.read_text(encoding="utf-8-sig") + "\nx,not an id\n", encoding="utf-8")
    emulator.post("faults", vendor="volcengine", user="user-1", throttle=True)
    emulator.post("faults", vendor="volcengine", user="user-2", cut_answer_after=0)
    said = run(root, environment, "notify_csv.py", str(path), str(results), *TEXT, code=1)
    assert said == "18 ACCEPTED, 1 NOT_DELIVERED, 1 REFUSED, 1 UNKNOWN\n"
    emulator.control("DELETE", "faults")
    said = run(root, environment, "notify_csv.py", str(path), str(results), *TEXT, code=1)
    assert said == "19 ACCEPTED, 1 REFUSED, 1 UNKNOWN\n"
    assert received(emulator, users) == dict.fromkeys(users, 1)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_is_taken_up_and_nobody_gets_it_twice(
    root: Path, environment: dict[str, str], emulator: Emulator, tmp_path: Path, end: signal.Signals
) -> None:
    path, users = users_csv(tmp_path, emulator, 250)
    results = tmp_path / "results.csv"
    emulator.post("faults", vendor="volcengine", user="user-100", answer_latency_ms=2000)
    program = [sys.executable, str(root / "examples" / "python" / "notify_csv.py"), str(path), str(results), *TEXT]
    with subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL) as process:
        while not emulator.payloads("volcengine", "user-100"):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(end)
        assert process.wait(60) != 0
    said = run(root, environment, "notify_csv.py", str(path), str(results), *TEXT, code=None)
    assert "SENDING" not in states(results).values()
    counts = {state: int(count) for count, state in re.findall(r"(\d+) (\w+)", said)}
    assert sum(counts.values()) == 250
    inboxes = received(emulator, users)
    assert max(inboxes.values()) == 1
    # Whoever is said to have been reached has been.
    assert all(inboxes[user] == 1 for user, state in states(results).items() if state == "ACCEPTED")


TORN = {
    "in a quoted field": b'user-1,ACCEPTED,fine\nuser-2,SENDING,\nuser-2,UNKNOWN,"the answer, as it',
    "in a character": "user-1,ACCEPTED,fine\nuser-2,SENDING,\nuser-2,UNKNOWN,命".encode()[:-1],
    "in a state that would be tried again": b"user-1,ACCEPTED,fine\nuser-2,SENDING,\nuser-2,NOT_SENT,",
    "in a quoted field, and gone on with": b'x,REFUSED,"torn\nuser-1,ACCEPTED,fine\nuser-2,SENDING,\n',
    "in a character, and gone on with": b"x,REFUSED,\xe5\x91\nuser-1,ACCEPTED,fine\nuser-2,SENDING,\n",
    "by a line break of its own": b'x,REFUSED,"a\rb"\nuser-1,ACCEPTED,fine\nuser-2,SENDING,\n',
}


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_result_file_makes_nobody_get_it_twice(
    root: Path, environment: dict[str, str], emulator: Emulator, tmp_path: Path, torn: str
) -> None:
    path, users = users_csv(tmp_path, emulator, 5)
    results = tmp_path / "results.csv"
    results.write_bytes(TORN[torn])
    for _ in range(2):
        said = run(root, environment, "notify_csv.py", str(path), str(results), *TEXT, code=1)
        assert said == "4 ACCEPTED, 1 UNKNOWN\n"
    inboxes = received(emulator, users)
    assert inboxes == {"user-0": 1, "user-1": 0, "user-2": 0, "user-3": 1, "user-4": 1}


def test_every_row_of_the_result_file_is_one_line_and_about_its_own_user(
    root: Path, environment: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    path, users = users_csv(tmp_path, emulator, 3)
    results = tmp_path / "results.csv"
    odd = ['user-1"', '"user-1', "user-1,", "user-1\nACCEPTED", "user-1\u2028"]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["user"], *([user] for user in [*users, *odd])])
    for _ in range(2):
        said = run(root, environment, "notify_csv.py", str(path), str(results), *TEXT, code=1)
        assert re.fullmatch(r"3 ACCEPTED, 5 REFUSED\n", said)
    assert received(emulator, users) == dict.fromkeys(users, 1)
    lines = results.read_bytes().decode().split("\n")
    assert lines.pop() == ""
    assert all(len(next(csv.reader([line], strict=True))) == 3 for line in lines)
    assert not any("\r" in line or "\u2028" in line for line in lines)


def test_two_runs_do_not_share_a_result_file(
    root: Path, environment: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    import fcntl

    path, users = users_csv(tmp_path, emulator, 3)
    with (tmp_path / "results.csv").open("a") as results:
        fcntl.flock(results, fcntl.LOCK_EX)
        command = [sys.executable, str(root / "examples" / "python" / "notify_csv.py"), str(path), results.name, *TEXT]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, f"another run is writing to {results.name}\n")
    assert received(emulator, users) == dict.fromkeys(users, 0)
