"""The emulator of both vendors as a child process, for tests: no network, no account, no money.

    with Emulator() as emulator:
        emulator.post("volcengine/join", room_id="lobby", user_id="alice")
        with rtcmsg.Client(settings=emulator.settings) as client:
            client.send_unicast(from_="server", to="alice", payload="hello")
        assert emulator.payloads("volcengine", "alice") == ["hello"]

`python -m rtcmsg.emulator` runs it by hand; `--help` tells its options.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

_STOP_TIMEOUT = 30
_LAST_EXPORT = "RTCMSG_ZEGO_SERVER_SECRET"


def find() -> str:
    """The program: RTCMSG_EMULATOR, the one that came with the package, or the first in PATH."""
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
        f"rtcmsg-emulator was not found. Looked at: RTCMSG_EMULATOR: not set; the package: {bundled}; PATH"
    )


class Emulator:
    """Starts one on a free port of loopback; `close`, or the end of `with`, stops it.

    `options` are those of its command line, such as `--no-quota`.
    """

    url: str
    environment: dict[str, str]
    """Its account and endpoints as environment variables."""
    settings: dict[str, str]
    """The same by the keys of the settings, for `Client(settings=...)`."""

    def __init__(self, *options: str, program: str | None = None) -> None:
        command = [program or find(), "--port", "0", "--quiet", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        try:
            self.url = self._line().split(" on ")[-1].strip()
            self.environment = self._exports()
        except BaseException:
            self.close()
            raise
        self.settings = {
            name[len("RTCMSG_") :].lower().replace("_", ".", 1): value for name, value in self.environment.items()
        }

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the emulator ended before it was ready, with {self._process.wait(_STOP_TIMEOUT)}")
        return line

    def _exports(self) -> dict[str, str]:
        exports: dict[str, str] = {}
        while _LAST_EXPORT not in exports:
            for word in shlex.split(self._line())[1:]:
                name, _, value = word.partition("=")
                exports[name] = value
        return exports

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A request to its control API, such as `control("GET", "ledger")`: emulator/README.md lists them.

        What it refuses is a ValueError with its reason.
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
        """A change, such as `post("zego/join", room_id="lobby", user_id="alice")` or `post("faults", stall=True)`."""
        self.control("POST", path, body)

    def inbox(self, vendor: str, user: str | int) -> list[dict[str, Any]]:
        """What a user of `volcengine`, `im` or `zego` really received, in order; IM has an entry for each device."""
        query = urllib.parse.urlencode({"vendor": vendor, "user": user})
        entries: list[dict[str, Any]] = self.control("GET", f"inbox?{query}")
        return entries

    def payloads(self, vendor: str, user: str | int) -> list[str | bytes]:
        """The payloads of that inbox: `str`, or `bytes` of a binary message."""
        entries = self.inbox(vendor, user)
        return [base64.b64decode(e["payload_base64"]) if e["binary"] else e["payload"] for e in entries]

    def reset(self) -> None:
        """Forgets who is where, what arrived, and all faults."""
        self.control("POST", "reset")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


if __name__ == "__main__":
    program = find()
    os.execv(program, [program, *sys.argv[1:]])
