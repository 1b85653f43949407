"""nginx on loopback, plain and TLS, with one fixed answer for each action: what every subject of the bench talks to.

One worker process, on a core of its own where there are two: a scheduler that puts both ends now on one core and now on
two makes the same program twice as fast or slow from one run to the next. The body is read to its end before the answer goes out, as
by a service that checks a signature: without that nginx answers a head, and a body sent in a second write costs nothing.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import final

# Valid answers of the vendors: docs/VENDORS.md, and tests/answers for those that have a page.
ANSWERS = {
    action: {
        "ResponseMetadata": {
            "RequestId": "20240604150611EC00A9D1A0E4F0DF98AB",
            "Action": action,
            "Version": "2020-12-01",
            "Service": "rtc",
            "Region": "cn-north-1",
        },
        "Result": {"Message": "Success"},
    }
    for action in ("SendUnicast", "BatchSendRoomUnicast")
} | {
    "SendCustomCommand": {
        "Code": 0,
        "Message": "success",
        "RequestId": "3005402395393320157",
        "Data": {"FailUsers": []},
    }
}

# The core has no directive that reads a body and throws it away. A mirror reads it, into a subrequest that goes nowhere;
# the static handler then refuses the method or finds no file, and the fixed answer replaces that error.
CONFIG = """
daemon off;
worker_processes 1;
{affinity}
pid {work}/nginx.pid;
error_log {work}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  client_body_buffer_size 256k;
  client_max_body_size 2m;
  large_client_header_buffers 4 32k;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  tcp_nodelay on;
  log_not_found off;
  map $arg_Action $answer {{
{answers}
  }}
  server {{
    listen 127.0.0.1:{http_port} backlog=4096;
    listen 127.0.0.1:{https_port} ssl backlog=4096;
    ssl_certificate {work}/server.pem;
    ssl_certificate_key {work}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:1m;
    root {work}/empty;
    default_type application/json;
    location = / {{
      mirror /nowhere;
      mirror_request_body on;
      error_page 403 404 405 =200 @answer;
    }}
    location = /nowhere {{ internal; return 204; }}
    location @answer {{ return 200 $answer; }}
  }}
  server {{
    listen 127.0.0.1:{status_port};
    location = /status {{ stub_status; }}
  }}
}}
"""

SAFETY_TIMEOUT_S = 30

ALL_CORES = os.sched_getaffinity(0)
SERVER_CORE = max(ALL_CORES) if len(ALL_CORES) > 1 else None
CLIENT_CORES = ALL_CORES - {SERVER_CORE}


@final
class Server:
    """`with Server(directory) as server:` runs one and, whatever happens, stops it."""

    def __init__(self, work: Path) -> None:
        self.work = work.resolve()
        self.ca = self.work / "ca.pem"
        self._http, self._https, self._status = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, scheme: str) -> str:
        return f"{scheme}://127.0.0.1:{self._http if scheme == 'http' else self._https}"

    def accepted(self) -> int:
        """Connections accepted so far. Asking takes one, which the next asking counts."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._status}/status", timeout=SAFETY_TIMEOUT_S) as answer:
            found = re.search(r"^\s*(\d+)\s+\d+\s+\d+\s*$", answer.read().decode(), re.MULTILINE)
        if not found:
            raise RuntimeError("nginx's status is not what it was")
        return int(found.group(1))

    def __enter__(self) -> Server:
        (self.work / "empty").mkdir(parents=True, exist_ok=True)
        make_certificates(self.work)
        answers = "\n".join(f"    {action} '{json.dumps(answer)}';" for action, answer in ANSWERS.items())
        config = self.work / "nginx.conf"
        ports = {"http_port": self._http, "https_port": self._https, "status_port": self._status}
        affinity = "" if SERVER_CORE is None else f"worker_cpu_affinity {1 << SERVER_CORE:b};"
        config.write_text(CONFIG.format(work=self.work, answers=answers, affinity=affinity, **ports))
        self._process = subprocess.Popen(
            ["nginx", "-c", str(config), "-p", str(self.work), "-e", str(self.work / "error.log")]
        )
        deadline = time.monotonic() + SAFETY_TIMEOUT_S
        while True:
            try:
                self.accepted()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._stop()
                    raise RuntimeError(f"nginx does not run: {(self.work / 'error.log').read_text()}") from None
                time.sleep(0.01)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(timeout=SAFETY_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def make_certificates(work: Path) -> None:
    """A root and a server's certificate by it: a root that is also the server's is refused by strict clients."""
    if (work / "server.pem").exists():
        return

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=work, check=True, capture_output=True)

    (work / "server.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    root = ("-subj", "/CN=rtcmsg bench root", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", *root)
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.ext", "-days", "3650")
    openssl("x509", "-req", "-in", "server.csr", *sign, "-out", "server.pem")
