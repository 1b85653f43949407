"""Builds librtcmsg and the emulator with cargo and puts them into the wheel, which is then for one platform and any Python.

RTCMSG_BUILD_LIBRARY and RTCMSG_BUILD_EMULATOR name prebuilt ones; then no cargo is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HOUSE = Path(__file__).resolve().parents[2]
TARGET = HOUSE / os.environ.get("CARGO_TARGET_DIR", "target")
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
        if not (HOUSE / "Cargo.toml").is_file():
            sys.exit("rtcmsg is built from a checkout of its repository: there is no Cargo.toml two folders up")
        if not getattr(self, "is_built", False):
            cargo = os.environ.get("CARGO", "cargo")
            try:
                subprocess.run([cargo, "build", "--release", "--locked", "--workspace"], cwd=HOUSE, check=True)
            except FileNotFoundError:
                sys.exit("rtcmsg needs cargo (Rust 1.85 or later) to be built: see https://rustup.rs")
            self.is_built = True
        return TARGET / "release" / name

    def write_licenses(self, crate: str, out: Path) -> None:
        """What a wheel must carry that is passed on. One for this machine alone does without."""
        if getattr(self, "is_built", False):
            command = [sys.executable, str(HOUSE / "tests" / "licenses.py"), "--package", crate, str(out.resolve())]
            if subprocess.run(command, check=False).returncode != 0:
                print(f"rtcmsg: no licences of {crate}: do not pass this wheel on", file=sys.stderr)


class PlatformWheel(bdist_wheel):
    """There is no extension module, so any Python 3 will do."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


class WithBinaries(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_py": Bundle, "bdist_wheel": PlatformWheel}, distclass=WithBinaries)
