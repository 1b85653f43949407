"""Installs into a prefix of its own, builds programs against it far from the checkout, runs them against the installed
emulator, and uninstalls everything.

usage: install.py --from DIRECTORY_OF_A_BUILD --licenses DIRECTORY_OF_LICENCES
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from emulator import Emulator
from run_c import STATIC_NATIVE_LIBS, read_soname

ROOT = Path(__file__).resolve().parent.parent
CONSUMER = ROOT / "tests" / "install"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
TEXTS = {"c": "from C", "cpp": "from C++"}
SAFETY_TIMEOUT_S = 300


class Failed(Exception):
    """Something is not as it should be: the text says what."""


class Installed:
    """A tree that `make install` has made."""

    def __init__(
        self, options: argparse.Namespace, prefix: Path, destdir: Path | None = None, lib: str = "lib"
    ) -> None:
        self.prefix = prefix
        self.root = Path(f"{destdir or ''}{prefix}")
        self.lib = lib
        self._settings = [
            f"PREFIX={prefix}",
            f"DESTDIR={destdir or ''}",
            f"LIBDIR={prefix / lib}",
            f"INSTALL_FROM={options.source.resolve()}",
            f"INSTALL_LICENSES={options.licenses.resolve()}",
        ]

    def make(self, target: str) -> None:
        run(["make", "--no-print-directory", "-C", str(ROOT), target, *self._settings])

    def files(self) -> set[str]:
        found = (path for path in self.root.rglob("*") if path.is_symlink() or not path.is_dir())
        return {str(path.relative_to(self.root)) for path in found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--licenses", type=Path, required=True)
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="rtcmsg-install-") as directory:
            check_all(options, Path(directory).resolve())
    except Failed as why:
        print(f"FAILED: {why}", file=sys.stderr)
        return 1
    return 0


def check_all(options: argparse.Namespace, directory: Path) -> None:
    installed = Installed(options, directory / "prefix")
    installed.make("install")
    check_tree(installed)
    work = directory / "elsewhere"
    shutil.copytree(CONSUMER, work)
    programs = built_by_cmake(installed, work) | built_by_pkg_config(installed, work)
    check_programs(installed, programs)
    fully_static = {"cmake c -static": work / "build/c-fully-static"} | built_fully_static(installed, work)
    check_fully_static(installed, fully_static, directory / "root")
    check_plugins(installed, [work / "build/libplugin.so", built_plugin(installed, work)])
    check_versions_of_cmake(installed, directory / "versions")
    check_uninstall(installed)
    check_destdir(Installed(options, Path("/opt/rtcmsg"), directory / "a stage", "lib/there"), directory)
    check_missing_parts(options, directory)
    check_relative_prefix(options)
    print(f"{len(programs) + len(fully_static)} programs and 2 plugins built against the installed tree")


def check_tree(installed: Installed) -> None:
    version = read_version()
    soname = f"librtcmsg.so.{version.rpartition('.')[0]}"
    expected = {
        "bin/rtcmsg-emulator",
        "include/rtcmsg.h",
        "include/rtcmsg.hpp",
        "include/rtcmsg_macros_pop.h",
        "include/rtcmsg_macros_push.h",
        f"{installed.lib}/cmake/rtcmsg/rtcmsg-config-version.cmake",
        f"{installed.lib}/cmake/rtcmsg/rtcmsg-config.cmake",
        f"{installed.lib}/librtcmsg.a",
        f"{installed.lib}/librtcmsg.so",
        f"{installed.lib}/{soname}",
        f"{installed.lib}/librtcmsg.so.{version}",
        f"{installed.lib}/pkgconfig/rtcmsg.pc",
        "share/doc/rtcmsg/COPYRIGHT-library.html",
        "share/doc/rtcmsg/LICENSE-APACHE",
        "share/doc/rtcmsg/LICENSE-MIT",
        "share/doc/rtcmsg/THIRD-PARTY-LICENSES-emulator.md",
        "share/doc/rtcmsg/THIRD-PARTY-LICENSES.md",
        *(f"share/doc/rtcmsg/{page}" for page in pages()),
    }
    expect("the files", installed.files(), expected)
    lib = installed.root / installed.lib
    expect("librtcmsg.so", os.readlink(lib / "librtcmsg.so"), soname)
    expect(soname, os.readlink(lib / soname), f"librtcmsg.so.{version}")
    expect("the SONAME", read_soname(lib / "librtcmsg.so"), soname)
    for file in (file for name in expected if not (file := installed.root / name).is_symlink()):
        is_program = file.parent.name == "bin" or ".so." in file.name
        expect(f"the mode of {file.name}", oct(file.stat().st_mode & 0o777), oct(0o755 if is_program else 0o644))
        if file.suffix in (".pc", ".cmake") and re.search(r"@[A-Z_]+@", file.read_text(encoding="utf-8")):
            raise Failed(f"{file.name} has a placeholder left")


def pages() -> set[str]:
    """The pages and the examples of the checkout. An error message names docs/CONFIGURATION.md."""
    found = {"README.md", "CHANGELOG.md", "emulator/README.md", "bindings/go/README.md", "bindings/python/README.md"}
    for pattern in ("docs/*.md", "docs/*.svg", "examples/*.md", "examples/*/*.*", "examples/go/*/*.go"):
        found |= {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)}
    if "docs/CONFIGURATION.md" not in found:
        raise Failed("docs/CONFIGURATION.md is missing")
    return found


def read_version() -> str:
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "(.+)"$', manifest, re.MULTILINE)
    if not found:
        raise Failed("no version in Cargo.toml")
    return found.group(1)


def built_by_cmake(installed: Installed, work: Path, *more: str) -> dict[str, Path]:
    build = work / "build"
    run(["cmake", "-S", str(work), "-B", str(build), f"-DCMAKE_PREFIX_PATH={installed.root}", *more])
    run(["cmake", "--build", str(build)])
    return {f"cmake {name}": build / name for name in ("c-shared", "c-static", "cpp-shared", "cpp-static")}


def pkg_config(installed: Installed, *what: str) -> list[str]:
    environment = os.environ | {"PKG_CONFIG_PATH": str(installed.root / "lib/pkgconfig")}
    return run(["pkg-config", *what, "rtcmsg"], environment).split()


def static_flags(installed: Installed) -> list[str]:
    """As the README says."""
    flags = pkg_config(installed, "--static", "--libs")
    return ["-l:librtcmsg.a" if part == "-lrtcmsg" else part for part in flags]


def compile_consumer(installed: Installed, work: Path, language: str, name: str, *flags: str) -> Path:
    compiler = ["gcc", "-std=c99"] if language == "c" else ["g++", "-std=c++17"]
    output = work / name
    cflags = pkg_config(installed, "--cflags")
    run([*compiler, *WARNINGS, *cflags, str(work / f"consumer.{language}"), "-o", str(output), *flags])
    return output


def built_by_pkg_config(installed: Installed, work: Path) -> dict[str, Path]:
    expect("the version", pkg_config(installed, "--modversion"), [read_version()])
    libdir = pkg_config(installed, "--variable=libdir")[0]
    static = static_flags(installed)
    missing = [part for part in STATIC_NATIVE_LIBS if part not in static]
    expect("the native libraries missing in Libs.private", missing, [])
    links = {"shared": [*pkg_config(installed, "--libs"), f"-Wl,-rpath,{libdir}"], "static": static}
    return {
        f"pkg-config {language}-{link}": compile_consumer(
            installed, work, language, f"pkg-config-{language}-{link}", *flags
        )
        for language in ("c", "cpp")
        for link, flags in links.items()
    }


def built_fully_static(installed: Installed, work: Path) -> dict[str, Path]:
    """Programs that need no shared library at all."""
    flags = static_flags(installed)
    return {
        f"{language} {mode}": compile_consumer(installed, work, language, f"{language}{mode}", mode, *flags)
        for language in ("c", "cpp")
        for mode in ("-static", "-static-pie")
    }


def check_fully_static(installed: Installed, programs: Mapping[str, Path], root: Path) -> None:
    """They run where there is nothing but the program and a hosts file, and look the name of the endpoint up."""
    (root / "etc").mkdir(parents=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")
    with Emulator(str(installed.root / "bin/rtcmsg-emulator")) as emulator:
        emulator.control("zego/join", {"room_id": "lobby", "user_id": "alice"})
        environment = {
            name: value.replace("127.0.0.1", "localhost")
            for name, value in emulator.environment.items()
            if name.startswith("RTCMSG_")
        }
        for name, program in programs.items():
            dynamic = run(["readelf", "--wide", "--dynamic", "--segments", str(program)])
            expect(f"whether {name} needs a library", "(NEEDED)" in dynamic, False)
            expect(f"whether {name} needs a loader", "INTERP" in dynamic, False)
            shutil.copy(program, root / "program")
            said = run([*in_root(root), "/program"], environment)
            expect(f"what {name} says", said.endswith(" RTCMSG_DELIVERY_ACCEPTED\n"), True)
        arrived = emulator.control("inbox?vendor=zego&user=alice")
    expect("the number of messages in the inbox", len(arrived), len(programs))


def in_root(root: Path) -> list[str]:
    chroot = shutil.which("chroot", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or "chroot"
    if os.geteuid() == 0:
        return [chroot, str(root)]
    return [shutil.which("unshare") or "unshare", "--map-root-user", chroot, str(root)]


def built_plugin(installed: Installed, work: Path) -> Path:
    """As docs/ABI.md says."""
    flags = ["-shared", "-fPIC", "-Dmain=plugin_main", *static_flags(installed)]
    return compile_consumer(installed, work, "c", "plugin.so", *flags, "-Wl,--exclude-libs,librtcmsg.a")


def check_plugins(installed: Installed, plugins: list[Path]) -> None:
    """Each exports its own function and none of the library's, and works."""
    load = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).plugin_main())"
    with Emulator(str(installed.root / "bin/rtcmsg-emulator")) as emulator:
        emulator.control("zego/join", {"room_id": "lobby", "user_id": "alice"})
        for plugin in plugins:
            symbols = run(["nm", "--dynamic", "--defined-only", "--format=just-symbols", str(plugin)]).split()
            expect(f"the symbols of {plugin.name}", symbols, ["plugin_main"])
            said = run([sys.executable, "-c", load, str(plugin)], emulator.environment)
            expect(f"what {plugin.name} says", said.endswith(" RTCMSG_DELIVERY_ACCEPTED\n"), True)


def check_programs(installed: Installed, programs: Mapping[str, Path]) -> None:
    major, minor, patch = (int(part) for part in read_version().split("."))
    said = f"{major << 16 | minor << 8 | patch:06x} RTCMSG_DELIVERY_ACCEPTED\n"
    with Emulator(str(installed.root / "bin/rtcmsg-emulator")) as emulator:
        emulator.control("zego/join", {"room_id": "lobby", "user_id": "alice"})
        expected = []
        for name, program in programs.items():
            expect(f"what {name} says", run([str(program)], emulator.environment), said)
            needs = "librtcmsg.so" in run(["objdump", "-p", str(program)])
            expect(f"whether {name} needs the shared library", needs, name.endswith("shared"))
            expected.append(TEXTS["cpp" if "cpp" in name else "c"])
        arrived = [entry["payload"] for entry in emulator.control("inbox?vendor=zego&user=alice")]
    expect("the inbox of alice", arrived, expected)


def check_versions_of_cmake(installed: Installed, work: Path) -> None:
    """What find_package() takes: this minor version, up to this patch."""
    asked = {"": True, "0": True, "0.1": True, "0.1.0": True, "0.1.0 EXACT": True}
    asked |= {"0.0": False, "0.1.99": False, "0.2": False, "1.0": False, "1": False}
    for version, is_found in asked.items():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        lines = "cmake_minimum_required(VERSION 3.13)\nproject(version C)\n"
        lines += f"find_package(rtcmsg {version} QUIET)\nfind_package(rtcmsg {version} QUIET)\n"
        (work / "CMakeLists.txt").write_text(lines + 'message("found: ${rtcmsg_FOUND}")\n', encoding="utf-8")
        command = ["cmake", "-S", str(work), "-B", str(work / "build"), f"-DCMAKE_PREFIX_PATH={installed.root}"]
        expect(f"find_package(rtcmsg {version})", f"found: {int(is_found)}\n" in run(command), True)


def check_uninstall(installed: Installed) -> None:
    foreign = installed.root / "share/doc/rtcmsg/notes-of-the-host"
    foreign.write_text("not ours", encoding="utf-8")
    installed.make("uninstall")
    expect("what is left", installed.files(), {str(foreign.relative_to(installed.root))})
    foreign.unlink()
    installed.make("install")
    installed.make("uninstall")
    expect("what is left", installed.files(), set())
    directories = {str(path.relative_to(installed.root)) for path in installed.root.rglob("*")}
    expect("the directories left", directories, {"bin", "include", "lib", "share", "share/doc"})
    installed.make("uninstall")


def check_destdir(installed: Installed, directory: Path) -> None:
    """A package's stage: paths in the files are those of the system it will be unpacked on."""
    installed.make("install")
    check_tree(installed)
    pc = (installed.root / "lib/there/pkgconfig/rtcmsg.pc").read_text(encoding="utf-8")
    paths = ["prefix=/opt/rtcmsg", "libdir=/opt/rtcmsg/lib/there", "includedir=/opt/rtcmsg/include"]
    expect("the paths", pc.splitlines()[:3], paths)
    shutil.copytree(CONSUMER, directory / "staged")
    config = installed.root / "lib/there/cmake/rtcmsg"
    programs = built_by_cmake(installed, directory / "staged", f"-Drtcmsg_DIR={config}")
    check_programs(installed, programs)
    installed.make("uninstall")
    expect("what is left", installed.files(), set())


def check_missing_parts(options: argparse.Namespace, directory: Path) -> None:
    """Nothing is put down if something is missing."""
    empty = argparse.Namespace(source=options.source, licenses=directory / "nothing")
    installed = Installed(empty, directory / "half")
    expect_refusal(installed, "THIRD-PARTY-LICENSES.md is not there")
    expect("what is there", installed.root.exists(), False)


def check_relative_prefix(options: argparse.Namespace) -> None:
    expect_refusal(Installed(options, Path("relative")), "relative is not an absolute path")


def expect_refusal(installed: Installed, text: str) -> None:
    try:
        installed.make("install")
    except Failed as why:
        expect(f"whether {text!r} is said", text in str(why), True)
        return
    raise Failed(f"it was installed, though {text}")


def run(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    result = subprocess.run(
        command,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SAFETY_TIMEOUT_S,
    )
    if result.returncode != 0:
        raise Failed(f"{' '.join(command)}\n{result.stdout}exit code {result.returncode}")
    return result.stdout


def expect(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise Failed(f"{what}: {actual!r}, expected {expected!r}")


if __name__ == "__main__":
    sys.exit(main())
