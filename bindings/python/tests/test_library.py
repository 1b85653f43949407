"""Where the library is looked for, and what is said when it is not there or not the right one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rtcmsg


def load(environment: dict[str, str], package: Path, **variables: str) -> str:
    """The version that a fresh interpreter finds, or the error; `package` is where it is imported from."""
    program = (
        "import rtcmsg\n"
        "try: print(rtcmsg.library_version())\n"
        "except rtcmsg.LibraryError as error: print(f'LibraryError: {error}')\n"
    )
    environment = {name: value for name, value in environment.items() if name != "RTCMSG_LIBRARY"}
    environment |= {"PYTHONPATH": str(package), **variables}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stderr == ""
    return run.stdout.strip()


@pytest.fixture
def package(root: Path, tmp_path: Path) -> Path:
    """A copy of this package without a library."""
    ignore = shutil.ignore_patterns("*.so", "rtcmsg-emulator", "__pycache__")
    shutil.copytree(root / "bindings" / "python" / "src", tmp_path / "src", ignore=ignore)
    return tmp_path / "src"


@pytest.fixture(scope="session")
def real_library() -> str:
    return os.path.realpath(os.environ["RTCMSG_LIBRARY"])


def stub(folder: Path, source: str, name: str = "librtcmsg.so.0.1") -> Path:
    """A library made of this C."""
    folder.mkdir(exist_ok=True)
    out = folder / name
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(out)], input=source, text=True, check=True)
    return out


def version_stub(folder: Path, version: int) -> Path:
    return stub(folder, f"unsigned rtcmsg_version(void) {{ return {version}; }}")


def test_it_is_taken_from_the_variable(environment: dict[str, str], package: Path, real_library: str) -> None:
    assert load(environment, package, RTCMSG_LIBRARY=real_library) == rtcmsg.__version__


def test_it_is_taken_from_the_package(environment: dict[str, str], package: Path, real_library: str) -> None:
    (package / "rtcmsg" / "librtcmsg.so").symlink_to(real_library)
    assert load(environment, package) == rtcmsg.__version__


def test_it_is_taken_from_the_loader(
    environment: dict[str, str], package: Path, real_library: str, tmp_path: Path
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "librtcmsg.so.0.1").symlink_to(real_library)
    assert load(environment, package, LD_LIBRARY_PATH=str(tmp_path / "lib")) == rtcmsg.__version__


def test_the_package_s_own_goes_before_the_loader_s(
    environment: dict[str, str], package: Path, real_library: str, tmp_path: Path
) -> None:
    version_stub(tmp_path / "lib", 0x000200)
    (package / "rtcmsg" / "librtcmsg.so").symlink_to(real_library)
    assert load(environment, package, LD_LIBRARY_PATH=str(tmp_path / "lib")) == rtcmsg.__version__


def test_a_missing_library_is_one_error_that_names_the_places(environment: dict[str, str], package: Path) -> None:
    said = load(environment, package, LD_LIBRARY_PATH="")
    assert said.startswith("LibraryError: librtcmsg was not found. Looked at: the package: ")
    assert str(package / "rtcmsg" / "librtcmsg.so") in said
    assert "the loader: librtcmsg.so.0.1" in said


def test_a_variable_that_names_nothing_is_not_passed_over(
    environment: dict[str, str], package: Path, real_library: str, tmp_path: Path
) -> None:
    (package / "rtcmsg" / "librtcmsg.so").symlink_to(real_library)
    said = load(environment, package, RTCMSG_LIBRARY=str(tmp_path / "nothing.so"))
    assert said.startswith(f"LibraryError: librtcmsg was not found. Looked at: RTCMSG_LIBRARY: {tmp_path}/nothing.so")


@pytest.mark.parametrize(
    "version, relation",
    [
        (0x000000, "is version 0.0.0, older than this package (0.1.0)"),
        (0x000200, "is version 0.2.0, another binary interface than that of this package (0.1.0)"),
        (0x010000, "is version 1.0.0, another binary interface than that of this package (0.1.0)"),
    ],
)
def test_a_library_of_another_version_is_refused(
    environment: dict[str, str], package: Path, tmp_path: Path, version: int, relation: str
) -> None:
    path = version_stub(tmp_path, version)
    assert load(environment, package, RTCMSG_LIBRARY=str(path)) == f"LibraryError: {path} {relation}"


def test_a_library_that_lacks_a_function_is_refused(environment: dict[str, str], package: Path, tmp_path: Path) -> None:
    path = version_stub(tmp_path, 0x000100)
    said = load(environment, package, RTCMSG_LIBRARY=str(path))
    assert said == f"LibraryError: {path} is older than this package (0.1.0): it has no rtcmsg_config_new"


def test_another_library_of_that_name_is_refused(environment: dict[str, str], package: Path, tmp_path: Path) -> None:
    path = stub(tmp_path, "int something_else;")
    said = load(environment, package, RTCMSG_LIBRARY=str(path))
    assert said == f"LibraryError: {path} is not librtcmsg: it has no rtcmsg_version"


def test_an_import_needs_no_library(environment: dict[str, str], package: Path) -> None:
    command = [sys.executable, "-c", "import rtcmsg, rtcmsg.pytest_plugin"]
    subprocess.run(command, env={**environment, "PYTHONPATH": str(package), "RTCMSG_LIBRARY": "/nothing"}, check=True)
