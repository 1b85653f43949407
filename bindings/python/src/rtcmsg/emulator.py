"""Starts the emulator of both vendors as a child process, for tests without a network and without an account.

    with Emulator() as emulator:
        emulator.post("volcengine/join", room_id="lobby", user_id="alice")
        with rtcmsg.Client(settings=emulator.settings) as client:
            client.send_unicast(from_="server", to="alice", payload="hello")
        assert emulator.payloads("volcengine", "alice") == ["hello"]

`python -m rtcmsg.emulator` runs the emulator by hand; `--help` shows its options.
"""

from __future__ import annotations

import base64
import errno
import http.client
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

_STOP_TIMEOUT = 30
_START_TIMEOUT = 30.0
_LAST_EXPORT = "RTCMSG_ZEGO_SERVER_SECRET"
# A shell that stops the emulator when the shell's standard input ends, which also happens if the process at the other
# end is killed. It closes its own standard output, so that the pipe ends when the emulator ends.
_SUPERVISOR = '"$@" </dev/null & exec >&-; read -r _; kill "$!" 2>/dev/null; wait "$!"'


def find() -> str:
    """Returns the path of the program: from RTCMSG_EMULATOR, from this package, or the first in PATH.

    Raises FileNotFoundError.
    """
    chosen = os.environ.get("RTCMSG_EMULATOR")
    if chosen:
        return chosen
    bundled = Path(__file__).with_name("rtcmsg-emulator")
    if bundled.is_file():
        return str(bundled)
    found = shutil.which("rtcmsg-emulator")
    if found:
        return found
    raise FileNotFoundError(
        f"rtcmsg-emulator was not found. Searched: RTCMSG_EMULATOR: not set; the package: {bundled}; PATH"
    )


class Emulator:
    """An emulator on a free port of loopback. `close`, the end of `with`, or the end of this process stops it.

    `options` are command-line options of the program, such as `--no-quota`. The constructor returns when the emulator
    is ready. It raises FileNotFoundError, RuntimeError if the program ends, or TimeoutError.
    """

    url: str
    """The address of the emulator, such as `http://127.0.0.1:8089`. It serves both vendors."""
    environment: dict[str, str]
    """The account and the endpoints as environment variables, for other programs."""
    settings: dict[str, str]
    """The same values as settings, for `Client(settings=...)`."""

    def __init__(self, *options: str, program: str | None = None) -> None:
        chosen = program or find()
        if shutil.which(chosen) is None:
            raise FileNotFoundError(errno.ENOENT, "no such program", chosen)
        command = ["/bin/sh", "-c", _SUPERVISOR, "rtcmsg-emulator", chosen, "--port", "0", "--quiet", *options]
        # In its own session, so that Ctrl-C does not end the emulator while the tests still use it.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        try:
            lines = self._read_greeting().splitlines()
            self.url = lines[0].split(" on ")[-1].strip()
            words = [word.partition("=") for line in lines[1:] for word in shlex.split(line)[1:]]
            self.environment = {name: value for name, _, value in words}
        except BaseException:
            self.close()
            raise
        self.settings = {
            name[len("RTCMSG_") :].lower().replace("_", ".", 1): value for name, value in self.environment.items()
        }

    def _read_greeting(self) -> str:
        """Reads the output of the emulator up to the last export command. It prints that when it is ready."""
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        deadline = time.monotonic() + _START_TIMEOUT
        ready = select.poll()
        ready.register(output, select.POLLIN)
        said = b""
        while _LAST_EXPORT not in said.decode("utf-8", "replace") or not said.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"the emulator was not ready within {_START_TIMEOUT:g} seconds")
            if not ready.poll(left * 1000):
                continue
            read = os.read(output, 65536)
            if not read:
                raise RuntimeError(f"the emulator exited with status {self._end()} before it was ready")
            said += read
        return said.decode()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Sends a request to the control API, such as `control("GET", "ledger")`, and returns the response.

        emulator/README.md lists the requests. Raises ValueError, with the reason, if the emulator refuses the request.
        """
        connection = http.client.HTTPConnection(self.url.partition("://")[2], timeout=_STOP_TIMEOUT)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/_emulator/{path}", data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ValueError(f"{method} {path}: {answer.status}: {text}")
        return json.loads(text)

    def post(self, path: str, **body: Any) -> None:
        """Changes the state: `post("zego/join", room_id="lobby", user_id="alice")`, `post("faults", stall=True)`."""
        self.control("POST", path, body)

    def inbox(self, vendor: str, user: str | int) -> list[dict[str, Any]]:
        """Returns the messages that a user of `volcengine`, `im` or `zego` received, in order.

        For `im` there is one entry for each device.
        """
        query = urllib.parse.urlencode({"vendor": vendor, "user": user})
        entries: list[dict[str, Any]] = self.control("GET", f"inbox?{query}")
        return entries

    def payloads(self, vendor: str, user: str | int) -> list[str | bytes]:
        """Returns the payloads of these messages: `str`, or `bytes` for a binary message."""
        entries = self.inbox(vendor, user)
        return [base64.b64decode(e["payload_base64"]) if e["binary"] else e["payload"] for e in entries]

    def reset(self) -> None:
        """Removes all users from all rooms, all received messages, and all faults."""
        self.control("POST", "reset")

    def close(self) -> None:
        """Stops the emulator. A second call does nothing."""
        self._end()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _end(self) -> int:
        """Ends the emulator and returns its exit status, as a shell reports it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            return self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            # This kills the whole session, which includes the emulator.
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


if __name__ == "__main__":
    program = find()
    os.execv(program, [program, *sys.argv[1:]])
