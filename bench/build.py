"""Installs and builds what the bench runs: the server, the peers, and our own programs.

Everything lands below the target directory. Versions of the peers are pinned in bench/go/peer/go.mod,
bench/python/requirements.txt and bench/peers/rust/Cargo.lock; nginx and libcurl are the system's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
SONAME = "librtcmsg.so.0.1"
NEEDED = "nginx:nginx curl-config:libcurl4-openssl-dev strace:strace gcc:gcc strip:binutils openssl:openssl go:golang-go pkg-config:pkgconf"
C_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{BENCH / 'c'}", f"-I{ROOT / 'include'}"]


@dataclass
class Built:
    """Commands by subject; a subject that cannot be has its reason instead."""

    work: Path
    library: Path
    programs: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def build(target: Path) -> Built:
    work = target / "bench"
    (work / "lib" / "pkgconfig").mkdir(parents=True, exist_ok=True)
    install()
    built = Built(work, target / "shared" / "librtcmsg.so")
    run("cargo", "rustc", "--quiet", "--profile", "shared", "--lib", "--crate-type", "cdylib", cwd=ROOT)
    for name in ("librtcmsg.so", SONAME):
        link = work / "lib" / name
        link.unlink(missing_ok=True)
        link.symlink_to(built.library)
    built.environment = {"RTCMSG_LIBRARY": str(built.library), "PYTHONPATH": str(ROOT / "bindings" / "python" / "src")}
    rust_programs(built)
    c_programs(built)
    python_programs(built)
    go_programs(built)
    return built


def install() -> None:
    run(str(ROOT / ".ci" / "need"), *NEEDED.split())
    includes = "#include <openssl/ssl.h>\n#include <curl/curl.h>\n"
    if subprocess.run(["gcc", "-E", "-"], input=includes, text=True, capture_output=True, check=False).returncode != 0:
        # A header cannot be found like a command: a command name that does not exist makes it install the package.
        run(str(ROOT / ".ci" / "need"), "headers-of-openssl:libssl-dev")


def rust_programs(built: Built) -> None:
    names = [part for name in ("send", "sign", "quota", "queue") for part in ("--bench", name)]
    output = run("cargo", "bench", "--quiet", "--no-run", "--message-format=json", *names, cwd=ROOT)
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] in ("send", "sign", "quota", "queue"):
            built.programs[f"rust-{message['target']['name']}"] = [message["executable"]]
    target = built.work / "peer-rust"
    manifest = BENCH / "peers" / "rust" / "Cargo.toml"
    run(
        "cargo",
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--manifest-path",
        str(manifest),
        "--target-dir",
        str(target),
    )
    built.programs["rust-peer-sign"] = [str(target / "release" / "bench-peer-signer")]
    built.programs["rust"] = built.programs["rust-send"]
    built.programs["rust-submit"] = [*built.programs["rust-send"], "submit"]


def c_programs(built: Built) -> None:
    harness, client = BENCH / "c" / "harness.c", BENCH / "c" / "client.c"
    ours = [f"-L{built.work / 'lib'}", "-lrtcmsg", f"-Wl,-rpath,{built.work / 'lib'}"]

    def compile_one(subject: str, *arguments: object) -> None:
        program = built.work / subject
        run("gcc", *C_FLAGS, *map(str, arguments), "-o", str(program))
        built.programs[subject] = [str(program)]

    compile_one("floor", BENCH / "peers" / "c" / "floor.c", harness, "-lssl", "-lcrypto")
    compile_one("libcurl", BENCH / "peers" / "c" / "curl.c", harness, "-lcurl")
    compile_one("c", BENCH / "c" / "send.c", client, harness, *ours)
    compile_one("soak", BENCH / "c" / "soak.c", client, harness, *ours)
    compile_one("cold", BENCH / "c" / "cold.c", harness, "-ldl")
    compile_one("allocs.so", "-shared", "-fPIC", BENCH / "c" / "allocs.c")
    compile_one("c-submit", BENCH / "c" / "submit.c", client, harness, *ours)
    compile_one("submit-alone", BENCH / "c" / "submit_alone.c", client, harness, *ours)


def python_programs(built: Built) -> None:
    venv, wanted = built.work / "venv", BENCH / "python" / "requirements.txt"
    stamp = venv / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True, check=False).returncode != 0:
            run(str(ROOT / ".ci" / "need"), "python-venv-module:python3-venv")
        run(sys.executable, "-m", "venv", "--clear", str(venv))
        run(
            str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", str(wanted)
        )
        shutil.copyfile(wanted, stamp)
    python = str(venv / "bin" / "python")
    built.programs["vendor-python"] = [python, str(BENCH / "python" / "peer.py")]
    if not (ROOT / "bindings" / "python").is_dir():
        built.left_out["python"] = built.left_out["python-submit"] = "this tree has no binding"
        return
    built.programs["python"] = [python, str(BENCH / "python" / "send.py")]
    built.programs["python-submit"] = [python, str(BENCH / "python" / "send.py"), "submit"]


def go_programs(built: Built) -> None:
    peer = built.work / "go-peer"
    run("go", "build", "-o", str(peer), ".", cwd=BENCH / "go" / "peer")
    built.programs["vendor-go"] = [str(peer)]
    if not (ROOT / "bindings" / "go").is_dir():
        built.left_out["go"] = built.left_out["go-submit"] = "this tree has no binding"
        return
    (built.work / "lib" / "pkgconfig" / "rtcmsg.pc").write_text(
        "Name: rtcmsg\nDescription: the library that the bench built\nVersion: 0.1.0\n"
        f"Cflags: -I{ROOT / 'include'}\nLibs: -L{built.work / 'lib'} -lrtcmsg -Wl,-rpath,{built.work / 'lib'}\n"
    )
    environment = {
        "PKG_CONFIG_PATH": str(built.work / "lib" / "pkgconfig"),
        "CGO_LDFLAGS_ALLOW": "-Wl,-rpath,.*",
    }
    ours = built.work / "go-ours"
    run("go", "build", "-o", str(ours), ".", cwd=BENCH / "go" / "ours", environment=environment)
    built.programs["go"] = [str(ours)]
    built.programs["go-submit"] = [str(ours), "submit"]


def run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """What the command says on standard output; an end of the bench if it fails."""
    given = os.environ | (environment or {})
    result = subprocess.run(command, cwd=cwd, env=given, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{result.stdout[-2000:]}{result.stderr[-4000:]}")
    return result.stdout
