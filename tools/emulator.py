"""The emulator as a child process on a free port, for tests in other languages than Rust."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from types import TracebackType
from typing import Any, final


@final
class Emulator:
    """`with Emulator(path) as emulator:` starts one and, whatever happens, stops it."""

    def __init__(self, path: str) -> None:
        self._process = subprocess.Popen([path, "--port", "0", "--quiet"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        try:
            self.url = self._process.stdout.readline().split(" on ")[-1].strip()
            self.environment = dict(os.environ) | self._exports()
        except BaseException:
            self._process.kill()
            raise

    def _exports(self) -> dict[str, str]:
        """The demo account, as the emulator prints it for a shell."""
        exports: dict[str, str] = {}
        assert self._process.stdout is not None
        while "RTCMSG_ZEGO_SERVER_SECRET" not in exports:
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError("the emulator ended before it printed its account")
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exports[name] = value.strip("'\"")
        return exports

    def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """A request to the control API: POST with a body, else GET."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
