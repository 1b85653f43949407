"""Tests the wheel in an empty virtual environment outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import rtcmsg
from rtcmsg.emulator import find

PROGRAM = """
import rtcmsg, rtcmsg.emulator
with rtcmsg.emulator.Emulator() as emulator:
    emulator.post("volcengine/login", user_id="alice")
    with rtcmsg.Client(settings=emulator.settings) as client:
        client.send_unicast(from_="server", to="alice", payload="hello")
    print(emulator.payloads("volcengine", "alice"))
print(rtcmsg.__file__, rtcmsg.emulator.find(), rtcmsg.library_version())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel as pip builds it, with the existing library and emulator."""
    out = tmp_path_factory.mktemp("wheel")
    source = Path(__file__).resolve().parents[1]
    environment = {
        **os.environ,
        "RTCMSG_BUILD_LIBRARY": os.path.realpath(os.environ["RTCMSG_LIBRARY"]),
        "RTCMSG_BUILD_EMULATOR": os.path.realpath(find()),
    }
    # With build isolation, pip would download setuptools from the package index.
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
    ]
    subprocess.run([*pip, str(source)], env=environment, check=True, timeout=300)
    (path,) = out.iterdir()
    return path


def test_it_is_for_one_platform_and_any_python(wheel: Path) -> None:
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("rtcmsg", rtcmsg.__version__, "py3", "none")
    assert platform.startswith("linux_")


def test_it_contains_the_package_the_library_and_the_emulator_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {info.filename: info for info in archive.infolist()}
    files = {name for name in held if not name.split("/")[0].endswith(".dist-info")}
    modules = {path.name for path in Path(rtcmsg.__file__).parent.glob("*.py")}
    assert files == {f"rtcmsg/{name}" for name in modules | {"py.typed", "librtcmsg.so", "rtcmsg-emulator"}}
    assert held["rtcmsg/rtcmsg-emulator"].external_attr >> 16 & 0o111
    licenses = {Path(name).name for name in held if "/licenses/" in name}
    assert licenses == {"LICENSE-APACHE", "LICENSE-MIT"}


def test_it_works_in_an_empty_environment_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=300)
    python = str(venv / "bin" / "python")
    # The environment has nothing of this checkout or of the user, only the wheel.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, env=environment, check=True, timeout=300)
    ended = subprocess.run(
        [python, "-W", "error", "-c", PROGRAM],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    received, places = ended.stdout.splitlines()
    assert received == "['hello']"
    package, emulator, version = places.split()
    assert Path(package).parent == Path(emulator).parent
    assert Path(package).is_relative_to(venv)
    assert version == rtcmsg.__version__
    plugins = "from importlib.metadata import distribution as d; print([*d('rtcmsg').entry_points])"
    points = subprocess.run([python, "-c", plugins], env=environment, capture_output=True, text=True, check=True)
    assert "value='rtcmsg.pytest_plugin', group='pytest11'" in points.stdout


CARGO = """#!/bin/sh
case "$*" in
  "rustc --profile shared --lib "*)
    echo '{"reason":"compiler-artifact","filenames":["FOLDER/dep/libother.rlib"],"executable":null}'
    echo '{"reason":"compiler-artifact","filenames":["FOLDER/cross/librtcmsg.so"]}' ;;
  "build --release --package rtcmsg-emulator "*)
    echo '{"reason":"compiler-artifact","filenames":["FOLDER/cross/rtcmsg-emulator"]}' ;;
  *) exit 1 ;;
esac
echo '{"reason":"build-finished","success":true}'
"""


def build(tmp_path: Path, cargo: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "cargo"
    script.write_text(cargo.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    script.chmod(0o755)
    prebuilt = ("RTCMSG_BUILD_LIBRARY", "RTCMSG_BUILD_EMULATOR", "CARGO_TARGET_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in prebuilt}
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-base", str(tmp_path / "build")]
    return subprocess.run(
        command,
        cwd=Path(__file__).resolve().parents[1],
        env={**environment, "CARGO": str(script)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_what_cargo_built_is_taken_from_where_cargo_says(tmp_path: Path) -> None:
    cross = tmp_path / "cross"
    cross.mkdir()
    for name in ("librtcmsg.so", "rtcmsg-emulator"):
        (cross / name).write_text(f"this build's {name}", encoding="utf-8")
    ended = build(tmp_path, CARGO)
    assert ended.returncode == 0, ended.stderr
    for name in ("librtcmsg.so", "rtcmsg-emulator"):
        (copy,) = (tmp_path / "build").glob(f"lib*/rtcmsg/{name}")
        assert copy.read_text(encoding="utf-8") == f"this build's {name}"


def test_the_error_of_a_failed_build_says_what_is_needed(tmp_path: Path) -> None:
    ended = build(tmp_path, "#!/bin/sh\necho the reason >&2; exit 101\n")
    assert ended.returncode != 0
    assert "the reason" in ended.stderr
    assert "Rust 1.85 or later and a C compiler" in ended.stderr
