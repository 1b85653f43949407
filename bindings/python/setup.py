"""Builds librtcmsg and the emulator with cargo and puts them into the wheel, which is then for one platform and any Python.

RTCMSG_BUILD_LIBRARY and RTCMSG_BUILD_EMULATOR name prebuilt ones; then no cargo is needed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parents[2]
LICENSES = "THIRD-PARTY-LICENSES.md"


class Bundle(build_py):
    """Copies the package, and beside its modules what is written in Rust."""

    def run(self) -> None:
        if self.editable_mode:
            # The sources stay where they are; so the library goes there, too.
            package = Path(__file__).resolve().parent / "src" / "rtcmsg"
        else:
            package = Path(self.build_lib) / "rtcmsg"
            # What an earlier build left would go into the wheel.
            shutil.rmtree(package, ignore_errors=True)
        super().run()
        for variable, name in (("RTCMSG_BUILD_LIBRARY", "librtcmsg.so"), ("RTCMSG_BUILD_EMULATOR", "rtcmsg-emulator")):
            prebuilt = os.environ.get(variable)
            shutil.copy(prebuilt if prebuilt else self.built(name), package / name)
            (package / name).chmod(0o755)
        for crate, suffix in (("rtcmsg", ""), ("rtcmsg-emulator", "-EMULATOR")):
            self.write_licenses(crate, package / LICENSES.replace(".md", f"{suffix}.md"))

    def built(self, name: str) -> Path:
        if not (ROOT / "Cargo.toml").is_file():
            sys.exit("rtcmsg is built from a checkout of its repository: there is no Cargo.toml two folders up")
        if not getattr(self, "is_built", False):
            self.artifacts = self.cargo()
            self.is_built = True
        if name not in self.artifacts:
            sys.exit(f"rtcmsg: cargo built no {name}; it is made for Linux with the GNU C library")
        return self.artifacts[name]

    def cargo(self) -> dict[str, Path]:
        """Builds, and says where each file is: that depends on the environment and on every configuration of cargo's."""
        messages = [
            *run_cargo("rustc", "--profile", "shared", "--lib", "--crate-type", "cdylib"),
            *run_cargo("build", "--release", "--package", "rtcmsg-emulator"),
        ]
        files = [Path(file) for message in messages for file in message.get("filenames", ())]
        return {file.name: file for file in files}

    def write_licenses(self, crate: str, out: Path) -> None:
        """What a wheel must carry that is passed on. One for this machine alone does without."""
        if getattr(self, "is_built", False):
            command = [sys.executable, str(ROOT / "tools" / "licenses.py"), "--package", crate, str(out.resolve())]
            if subprocess.run(command, check=False).returncode != 0:
                print(f"rtcmsg: no licences of {crate}: do not pass this wheel on", file=sys.stderr)


def run_cargo(*arguments: str) -> list[dict[str, Any]]:
    command = [os.environ.get("CARGO", "cargo"), *arguments, "--locked", "--message-format=json-render-diagnostics"]
    try:
        built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    except FileNotFoundError:
        sys.exit("rtcmsg needs cargo (Rust 1.85 or later) and a C compiler to be built: see https://rustup.rs")
    if built.returncode != 0:
        sys.exit("rtcmsg: cargo failed, see above; it takes Rust 1.85 or later and a C compiler")
    return [json.loads(line) for line in built.stdout.splitlines() if line.startswith(b"{")]


class PlatformWheel(bdist_wheel):
    """There is no extension module, so any Python 3 will do."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class WithBinaries(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": Bundle, "bdist_wheel": PlatformWheel}, distclass=WithBinaries)
