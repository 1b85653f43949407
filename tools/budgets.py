"""Counts what a send costs and compares it with LIMITS: system calls, allocations, instructions, threads, DNS lookups,
connections, and the size of the library. It measures no time. It uses the library as it is shipped, and builds its own
programs with gcc.

Counts are of warm sends: each is the difference of two runs that differ by a number of sends and by nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from run_c import ACCOUNT

# Just above what was measured. A change that needs more must say why.
LIMITS: dict[str, float] = {
    "system calls of a send, HTTP": 3,
    "system calls of a send, TLS": 3,
    "system calls of a send to 10 users of ZEGO": 4,
    # How often one thread wakes another differs a little from run to run.
    "system calls of a message submitted": 12,
    "allocations of a send, HTTP": 46,
    "allocations of a send, TLS": 49,
    "allocations of a send to 10 users of ZEGO": 46,
    "allocations of a message submitted": 50,
    # valgrind has no SHA instructions, so that these are the same wherever they are counted.
    "instructions of a send, HTTP": 118_000,
    "instructions of a send, TLS": 130_000,
    "instructions of a signature": 47_500,
    "threads of the library while 16 threads send": 0,
    "threads of the library while 100 messages are under way": 9,
    "DNS lookups of 10,000 sends": 1,
    "connections of 10,000 sends from 16 threads": 16,
    "bytes of the stripped library": 2_750_000,
}

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "tests" / "budgets"
FEW, MANY = 100, 600
FEW_SIGNED, MANY_SIGNED = 100, 1100
SAFETY_TIMEOUT_S = 600
LISTENING = re.compile(r"rtcmsg-emulator listening on (https?://127\.0\.0\.1:\d+)\s*")
# On a slow machine a name or a connection may expire during the sends. That is not a cost of a send.
SETTINGS = {
    "RTCMSG_QUOTA_MODE": "off",
    "RTCMSG_RETRY_MAX_ATTEMPTS": "1",
    "RTCMSG_HTTP_DNS_TTL_MS": "86400000",
    "RTCMSG_HTTP_IDLE_TIMEOUT_MS": "3600000",
    "RTCMSG_HTTP_MAX_CONNECTION_AGE_MS": "86400000",
}


@dataclass(frozen=True)
class Setup:
    lib: Path
    include: Path
    emulator: Path
    build: Path
    sign: str

    @property
    def program(self) -> Path:
        return self.build / "budgets"

    @property
    def counter(self) -> Path:
        return self.build / "budgets_counter.so"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", type=Path, required=True, help="directory of librtcmsg.so, as it is shipped")
    parser.add_argument("--include", type=Path, default=ROOT / "include", help="directory of rtcmsg.h")
    parser.add_argument("--emulator", type=Path, required=True, help="rtcmsg-emulator, of any build")
    parser.add_argument("--build", type=Path, required=True, help="directory for what this builds")
    parser.add_argument("--sign", default="", help="the built bench target `sign`; cargo is asked for it if not given")
    given = parser.parse_args()
    setup = Setup(given.lib.resolve(), given.include, given.emulator.resolve(), given.build.resolve(), given.sign)
    build(setup)
    measured = measure(setup)
    over = [name for name, value in measured.items() if value > LIMITS[name]]
    for name, value in measured.items():
        print(f"{name}: {value:,.10g} of {LIMITS[name]:,}{' TOO MUCH' if name in over else ''}")
    missing = LIMITS.keys() - measured.keys()
    if missing:
        print(f"not measured: {', '.join(sorted(missing))}")
    return 1 if over or missing else 0


def build(setup: Setup) -> None:
    setup.build.mkdir(parents=True, exist_ok=True)
    link = setup.build / "librtcmsg.so.0.1"
    link.unlink(missing_ok=True)
    link.symlink_to(setup.lib / "librtcmsg.so")
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-pthread", f"-I{setup.include}"]
    library = [str(link), f"-Wl,-rpath,{setup.build}"]
    run(["gcc", *flags, str(SOURCES / "budgets.c"), "-o", str(setup.program), *library])
    run(["gcc", *flags, "-shared", "-fPIC", str(SOURCES / "counter.c"), "-o", str(setup.counter), "-ldl"])
    if not (setup.build / "server.pem").exists():
        make_certificates(setup.build)


def make_certificates(directory: Path) -> None:
    """A root, and a certificate by it for the emulator."""

    def openssl(*arguments: str) -> None:
        run(["openssl", *arguments], cwd=directory)

    (directory / "server.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=root of the tests"
    )
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.ext", "-days", "3650")
    openssl("x509", "-req", "-in", "server.csr", *sign, "-out", "server.pem")


def measure(setup: Setup) -> dict[str, float]:
    found: dict[str, float] = {}
    with emulator(setup) as url:
        one, ten = Sender(setup, url), Sender(setup, url, case="command")
        join_room(url)
        submitted = Sender(setup, url, mode="submit")
        for name, sender in (
            ("a send, HTTP", one),
            ("a send to 10 users of ZEGO", ten),
            ("a message submitted", submitted),
        ):
            found[f"system calls of {name}"] = sender.per_send(sender.system_calls)
            found[f"allocations of {name}"] = sender.per_send(sender.allocations)
        found["instructions of a send, HTTP"] = one.per_send(one.instructions)
        before = connections(url)
        found["threads of the library while 16 threads send"] = one.run(10_000, threads=16)
        found["connections of 10,000 sends from 16 threads"] = connections(url) - before
        found["threads of the library while 100 messages are under way"] = submitted.run(1_000, threads=100)
        named = Sender(setup, url.replace("127.0.0.1", "localhost"))
        found["DNS lookups of 10,000 sends"] = named.lookups(10_000)
    with emulator(setup, "--tls-cert", "server.pem", "--tls-key", "server.key") as url:
        tls = Sender(setup, url)
        found["system calls of a send, TLS"] = tls.per_send(tls.system_calls)
        found["allocations of a send, TLS"] = tls.per_send(tls.allocations)
        found["instructions of a send, TLS"] = tls.per_send(tls.instructions)
    found["instructions of a signature"] = signature(setup)
    stripped = setup.build / "stripped.so"
    run(["strip", "-o", str(stripped), str(setup.lib / "librtcmsg.so")])
    found["bytes of the stripped library"] = stripped.stat().st_size
    return {name: found[name] for name in LIMITS if name in found}


@dataclass(frozen=True)
class Sender:
    """The program of tests/budgets/budgets.c, and the ways to count what it does."""

    setup: Setup
    url: str
    mode: str = "send"
    case: str = "unicast"

    def run(self, count: int, threads: int = 1, before: tuple[str, ...] = (), **more: str) -> int:
        ours = re.compile(r"RTCMSG_|VOLC_|.*_proxy$|.*_PROXY$")
        inherited = {name: value for name, value in os.environ.items() if not ours.match(name)}
        account = dict(ACCOUNT.values()) | SETTINGS
        endpoints = {"RTCMSG_VOLCENGINE_ENDPOINT": self.url, "RTCMSG_ZEGO_ENDPOINT": self.url}
        trust = {"RTCMSG_TLS_CA_FILE": str(self.setup.build / "ca.pem")} if self.url.startswith("https") else {}
        command = [*before, str(self.setup.program), self.mode, self.case, str(threads), str(count)]
        return int(run(command, env=inherited | account | endpoints | trust | more))

    def per_send(self, count_all: Callable[[int], int]) -> float:
        return round((count_all(MANY) - count_all(FEW)) / (MANY - FEW), 1)

    def system_calls(self, count: int) -> int:
        report = self.setup.build / "strace.txt"
        self.run(count, before=("strace", "--follow-forks", "--summary-only", f"--output={report}"))
        rows = [line.split() for line in report.read_text().splitlines()]
        # The last of the columns is a name.
        return sum(int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total")

    def counted(self, count: int) -> tuple[int, int]:
        report = self.setup.build / "counted.txt"
        self.run(count, LD_PRELOAD=str(self.setup.counter), BUDGETS_COUNT=str(report))
        allocations, lookups = report.read_text().split()
        return int(allocations), int(lookups)

    def allocations(self, count: int) -> int:
        return self.counted(count)[0]

    def lookups(self, count: int) -> int:
        return self.counted(count)[1]

    def instructions(self, count: int) -> int:
        report = self.setup.build / "callgrind.txt"
        self.run(count, before=("valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={report}"))
        return instructions_in(report)


def signature(setup: Setup) -> float:
    program, report = setup.sign or built_signer(), setup.build / "callgrind.txt"

    def instructions(count: int) -> int:
        run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={report}", program, "ours", str(count)])
        return instructions_in(report)

    return round((instructions(MANY_SIGNED) - instructions(FEW_SIGNED)) / (MANY_SIGNED - FEW_SIGNED))


def instructions_in(report: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)$", report.read_text(), re.MULTILINE)
    if not found:
        sys.exit(f"{report} has no total")
    return int(found.group(1))


def built_signer() -> str:
    arguments = ["bench", "--quiet", "--no-run", "--message-format=json", "--bench", "sign"]
    for line in run([os.environ.get("CARGO", "cargo"), *arguments], cwd=ROOT).splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "sign":
            return str(message["executable"])
    sys.exit("cargo built no bench target `sign`")


@contextlib.contextmanager
def emulator(setup: Setup, *more: str) -> Iterator[str]:
    """An emulator without quota on a free port, gone when this is left, however it is left."""
    account = [part for name, (_, value) in ACCOUNT.items() for part in (f"--{name}", value)]
    command = [str(setup.emulator), "--port", "0", "--quiet", "--no-quota", *account, *more]
    with subprocess.Popen(command, cwd=setup.build, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = LISTENING.fullmatch(process.stdout.readline())
            if not found:
                sys.exit("the emulator does not start")
            yield found.group(1)
        finally:
            process.terminate()


def connections(url: str) -> int:
    with urllib.request.urlopen(f"{url}/_emulator/stats", timeout=SAFETY_TIMEOUT_S) as answer:
        return int(json.load(answer)["connections"])


def join_room(url: str) -> None:
    for number in range(10):
        body = json.dumps({"room_id": "lobby", "user_id": f"user-{number}"}).encode()
        request = urllib.request.Request(f"{url}/_emulator/zego/join", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=SAFETY_TIMEOUT_S).close()


def run(command: list[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    result = subprocess.run(
        command, env=env, cwd=cwd, check=False, capture_output=True, text=True, timeout=SAFETY_TIMEOUT_S
    )
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stdout[-1000:]}{result.stderr[-2000:]}")
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
