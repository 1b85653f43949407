"""Builds and runs the C and C++ programs below tests/c, tests/cpp and tests/embedding against librtcmsg and the emulator.

A `.c` file beside a `.h` of the same name is linked into every program; every other file is a program. Each program gets
its own emulator. Comment lines in its source say what it needs:

    // modes: plain asan (why not the others)
    // links: static (why not the other)
    // standards: c99 c11 c17
    // flags: -fno-exceptions
    // emulator: --no-quota
    // beside: second (a crate below tests/embedding, linked as a static library)
    // ledger: completions.txt (a file that it writes, which tools/ledger.py compares with what the emulator processed)
    // traced: yes (in plain mode it runs under strace, and tools/never_blocks.py checks its system calls)
    // dlopen: yes (neither library nor parts are linked; TEST_LIBRARY is the path of the library)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ledger
import never_blocks

TOOLS = Path(__file__).resolve().parent
TESTS = TOOLS.parent / "tests"
INCLUDE = TOOLS.parent / "include"
MODES = ("plain", "asan", "memcheck")

SAFETY_TIMEOUT_S = 300
EMULATOR_STOP_S = 10
ASAN_EXIT_CODE = 98
MEMCHECK_EXIT_CODE = 99

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# What the programs' own code needs beyond the standard: sockets, fork, setenv, threads.
POSIX = ["-D_POSIX_C_SOURCE=200809L", "-pthread"]
# As `cargo rustc --lib -- --print native-static-libs` names them, without -lgcc_s: the compiler adds the unwinder that fits.
STATIC_NATIVE_LIBS = ["-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]

# One account, for the clients and the emulator.
ACCOUNT = {
    "access-key": ("RTCMSG_VOLCENGINE_ACCESS_KEY", "AKLTtest"),
    "secret-key": ("RTCMSG_VOLCENGINE_SECRET_KEY", "volcengine-secret-of-the-tests=="),
    "rtc-app-id": ("RTCMSG_VOLCENGINE_RTC_APP_ID", "661e0000000000000000test"),
    "im-app-id": ("RTCMSG_VOLCENGINE_IM_APP_ID", "666675"),
    "zego-app-id": ("RTCMSG_ZEGO_APP_ID", "1234567890"),
    "zego-server-secret": ("RTCMSG_ZEGO_SERVER_SECRET", "zego-server-secret-of-the-tests."),
}
# Tests of retries and pacing enable them; the others check the outcome of a single attempt.
ONE_TRY = {"RTCMSG_RETRY_MAX_ATTEMPTS": "1", "RTCMSG_QUOTA_MODE": "off"}
# A thread keeps the memory that it frees, so that no thread waits for a lock of malloc, which is not a lock of the library.
OWN_MALLOC = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=60000"}
SESSION_TOKEN = "session-token-of-the-tests"
LISTENING = re.compile(r"rtcmsg-emulator listening on (http://127\.0\.0\.1:\d+)\s*")
SUMMARY = re.compile(r"^checks: (\d+), failures: (\d+)$", re.MULTILINE)
ROWS = re.compile(r"^rows: (\d+)$", re.MULTILINE)


class Failed(Exception):
    """A program did not build or pass: the text says why."""


@dataclass(frozen=True)
class Program:
    """One source file, compiled to one standard."""

    source: Path
    standard: str
    is_only_standard: bool

    @property
    def name(self) -> str:
        suffix = "" if self.is_only_standard else f"-{self.standard}"
        return f"{self.source.stem}{suffix}"


@dataclass(frozen=True)
class Setup:
    """What all programs of a run have in common."""

    mode: str
    link: str
    lib: Path
    emulator: Path
    build: Path

    def compiler_flags(self) -> list[str]:
        flags = ["-g", *WARNINGS, *POSIX, f"-I{INCLUDE}", f"-I{TESTS / 'c'}", f"-I{self.build}"]
        if self.mode == "asan":
            flags += ["-fsanitize=address", "-fno-omit-frame-pointer"]
        return flags

    def link_flags(self) -> list[str]:
        if self.link == "static":
            return [str(self.lib / "librtcmsg.a"), *STATIC_NATIVE_LIBS]
        return [f"-L{self.lib}", "-lrtcmsg", f"-Wl,-rpath,{self.build}", f"-Wl,-rpath,{self.lib}"]


def main() -> int:
    options = parse_arguments()
    # A signal that ends this program must also end its emulators.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    chosen = list(programs(options.names))
    if not chosen:
        print("no such program", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as cleanup:
        build = options.build or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="rtcmsg-c-")))
        setup = Setup(options.mode, options.link, options.lib.resolve(), options.emulator.resolve(), build.resolve())
        prepare(setup)
        return run_all(chosen, setup)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", type=Path, required=True, help="directory of librtcmsg.so and librtcmsg.a")
    parser.add_argument("--emulator", type=Path, required=True, help="the emulator's program")
    parser.add_argument("--mode", choices=MODES, default="plain")
    parser.add_argument("--link", choices=("shared", "static"), default="shared")
    parser.add_argument("--build", type=Path, help="directory for what is built; a temporary one if not given")
    parser.add_argument("names", nargs="*", help="programs to run; all if none is named")
    return parser.parse_args()


def run_all(chosen: list[Program], setup: Setup) -> int:
    passed = failed = 0
    parts: list[Path] | None = None
    for program in chosen:
        reason = excluded(program, "modes", setup.mode) or excluded(program, "links", setup.link)
        if reason is not None:
            print(f"{program.name}: {reason}", flush=True)
            continue
        try:
            if parts is None:
                parts = build_parts(setup)
            print(f"{program.name}: {run(program, parts, setup)}", flush=True)
            passed += 1
        except Failed as why:
            print(f"{program.name}: FAILED\n{why}", flush=True)
            failed += 1
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


def programs(names: list[str]) -> Iterator[Program]:
    patterns = ("c/*.c", "cpp/*.cpp", "embedding/*.c", "embedding/*.cpp")
    sources = [source for pattern in patterns for source in sorted(TESTS.glob(pattern))]
    for source in sources:
        if source.with_suffix(".h").exists() or (names and source.stem not in names):
            continue
        default = "c99" if source.suffix == ".c" else "c++11"
        standards = (directive(source, "standards") or default).split()
        for standard in standards:
            yield Program(source, standard, len(standards) == 1)


def directive(source: Path, name: str) -> str | None:
    found = re.search(rf"^// {name}: (.+)$", source.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1).strip() if found else None


def excluded(program: Program, name: str, value: str) -> str | None:
    """Why the program is not for this mode or way to link; None if it is."""
    wanted = directive(program.source, name)
    values, _, reason = (wanted or value).partition("(")
    if value in values.split():
        return None
    return f"not in {value}" + (f" ({reason}" if reason else "")


def prepare(setup: Setup) -> None:
    """Makes the build directory, with the conformance table, and the name that the loader looks for if the build did not
    make it."""
    setup.build.mkdir(parents=True, exist_ok=True)
    table = str(setup.build / "conformance_table.h")
    subprocess.run([sys.executable, TOOLS / "conformance_table.py", TESTS / "conformance.json", table], check=True)
    if setup.link == "static":
        return
    library = setup.lib / "librtcmsg.so"
    soname = read_soname(library)
    if (setup.lib / soname).exists():
        return
    alias = setup.build / soname
    alias.unlink(missing_ok=True)
    alias.symlink_to(library)


def read_soname(library: Path) -> str:
    listing = subprocess.run(["objdump", "-p", str(library)], check=True, capture_output=True, text=True).stdout
    found = re.search(r"^\s*SONAME\s+(\S+)$", listing, re.MULTILINE)
    return found.group(1) if found else library.name


def build_parts(setup: Setup) -> list[Path]:
    """The objects that are linked into every program."""
    parts = []
    for source in sorted((TESTS / "c").glob("*.c")):
        if source.with_suffix(".h").exists():
            part = setup.build / f"{source.stem}.{setup.mode}.o"
            compile_with(["gcc", "-std=c99", *setup.compiler_flags(), "-c", str(source), "-o", str(part)])
            parts.append(part)
    return parts


def compile_with(command: list[str]) -> None:
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0 or result.stderr:
        raise Failed(f"{' '.join(command)}\n{result.stdout}{result.stderr}")


def run(program: Program, parts: list[Path], setup: Setup) -> str:
    """Builds and runs a program, and gives the words for its line."""
    binary = setup.build / f"{program.name}.{setup.mode}.{setup.link}"
    compiler = "gcc" if program.source.suffix == ".c" else "g++"
    compile_with(
        [
            compiler,
            f"-std={program.standard}",
            *setup.compiler_flags(),
            *(directive(program.source, "flags") or "").split(),
            str(program.source),
            *linked(program, parts, setup),
            "-o",
            str(binary),
        ]
    )
    with (
        tempfile.TemporaryDirectory(prefix="rtcmsg-test-") as directory,
        running_emulator(setup.emulator, directive(program.source, "emulator")) as url,
    ):
        trace = Path(directory) / "trace" if directive(program.source, "traced") else None
        env = environment(url, setup) | (OWN_MALLOC if trace else {})
        result = run_binary([*tracer(trace), *command(binary, setup)], env, directory)
        words = judged(result, setup.mode)
        check_ledger(url, directive(program.source, "ledger"), Path(directory))
        check_trace(trace)
    # Only what failed is worth its place on the disk.
    binary.unlink()
    return words


def tracer(trace: Path | None) -> list[str]:
    if trace is None:
        return []
    if shutil.which("strace") is None:
        raise Failed("strace is not installed")
    return [*never_blocks.COMMAND, "-o", str(trace)]


def check_trace(trace: Path | None) -> None:
    wrong = never_blocks.broken_rules(trace) if trace else []
    if wrong:
        raise Failed("\n".join(["it calls what it must not:", *wrong]))


def check_ledger(url: str, results: str | None, directory: Path) -> None:
    wrong = ledger.differences(url, directory / results) if results else []
    if wrong:
        raise Failed("\n".join(["the ledger differs from what was reported:", *wrong]))


def linked(program: Program, parts: list[Path], setup: Setup) -> list[str]:
    if directive(program.source, "dlopen"):
        return ["-ldl"]
    beside = directive(program.source, "beside")
    more = [str(rust_library(beside, setup))] if beside else []
    return [*map(str, parts), *more, *setup.link_flags()]


def rust_library(name: str, setup: Setup) -> Path:
    """The static library of a crate below tests/embedding."""
    manifest = TESTS / "embedding" / name / "Cargo.toml"
    target = setup.build / name
    arguments = ["build", "--quiet", "--locked", "--manifest-path", str(manifest), "--target-dir", str(target)]
    compile_with([os.environ.get("CARGO", "cargo"), *arguments])
    return target / "debug" / f"lib{name}.a"


def command(binary: Path, setup: Setup) -> list[str]:
    if setup.mode != "memcheck":
        return [str(binary)]
    if shutil.which("valgrind") is None:
        raise Failed("valgrind is not installed")
    return [
        "valgrind",
        "--quiet",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite,possible",
        f"--suppressions={TESTS / 'c' / 'memcheck.supp'}",
        f"--error-exitcode={MEMCHECK_EXIT_CODE}",
        str(binary),
    ]


def environment(url: str, setup: Setup) -> dict[str, str]:
    """Nothing of the host's own settings, all that a client of the emulator needs."""
    ours = re.compile(r"RTCMSG_|VOLC_|.*_proxy$|.*_PROXY$")
    inherited = {name: value for name, value in os.environ.items() if not ours.match(name)}
    settings = dict(ACCOUNT.values()) | ONE_TRY
    return {
        **inherited,
        **settings,
        "RTCMSG_VOLCENGINE_ENDPOINT": url,
        "RTCMSG_ZEGO_ENDPOINT": url,
        "EMULATOR_URL": url,
        "TEST_SESSION_TOKEN": SESSION_TOKEN,
        "TEST_MODE": setup.mode,
        "TEST_LIBRARY": str(setup.lib / "librtcmsg.so"),
        "ASAN_OPTIONS": f"detect_leaks=1:exitcode={ASAN_EXIT_CODE}",
    }


@contextlib.contextmanager
def running_emulator(path: Path, more: str | None = None) -> Iterator[str]:
    """An emulator on a free port, gone when this is left, however it is left."""
    options = [part for name, (_, value) in ACCOUNT.items() for part in (f"--{name}", value)]
    arguments = [str(path), "--port", "0", "--quiet", "--session-token", SESSION_TOKEN, *options, *(more or "").split()]
    try:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    except OSError as why:
        raise Failed(f"the emulator does not start: {why}") from why
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = LISTENING.fullmatch(line)
        if not found:
            raise Failed(f"the emulator's first line is {line!r}")
        yield found.group(1)
        if process.poll() is not None:
            raise Failed(f"the emulator ended by itself, with {process.returncode}")
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=EMULATOR_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def run_binary(command: list[str], env: dict[str, str], directory: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a directory of its own and a session of its own, so that what it forks cannot outlive it."""
    with subprocess.Popen(
        command,
        env=env,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=SAFETY_TIMEOUT_S)
        except subprocess.TimeoutExpired as why:
            kill_session(process)
            output, _ = process.communicate()
            raise Failed(f"{output}still running after {SAFETY_TIMEOUT_S} s") from why
        except BaseException:
            kill_session(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def kill_session(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def judged(result: subprocess.CompletedProcess[str], mode: str) -> str:
    summary = SUMMARY.search(result.stdout)
    if result.returncode != 0:
        raise Failed(f"{result.stdout}exit code {result.returncode}")
    if not summary or summary.group(2) != "0" or summary.group(1) == "0":
        raise Failed(f"{result.stdout}no summary of checks that all hold")
    if mode == "memcheck" and "== " in result.stdout:
        raise Failed(f"{result.stdout}memcheck had something to say")
    rows = ROWS.search(result.stdout)
    return f"ok, {summary.group(1)} checks" + (f", {rows.group(1)} rows" if rows else "")


if __name__ == "__main__":
    sys.exit(main())
