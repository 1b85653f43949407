"""Checks that the shared library keeps what docs/ABI.md promises.

needs:  it needs no later glibc and no other library than the page lists.
diff:   it is compatible with the library of the last tag, if the SONAME is the same. abidiff compares the two; the tables of
        struct layouts are compared as well, since abidiff overlooks a field that moves in a struct that also grows.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "ABI.md"
LAYOUT = "tests/c/abi_layout.h"
# By value in arrays: these must not even grow.
FIXED = ("rtcmsg_str",)
LIBRARIES = re.compile(r"libc\.so\.6|libgcc_s\.so\.1|ld-linux-[\w-]+\.so\.\d")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("needs", "diff"))
    parser.add_argument("library", type=Path)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "abi", help="where diff builds the last tag")
    options = parser.parse_args()
    if options.what == "needs":
        return needs(options.library)
    return diff(options.library.resolve(), options.build.resolve())


def needs(library: Path) -> int:
    floor = stated_floor()
    symbols = re.findall(r"\(GLIBC_([\d.]+)\)\s+(\S+)", output("objdump", "-T", str(library)))
    too_new = sorted({f"{name} needs glibc {version}" for version, name in symbols if as_numbers(version) > floor})
    strange = [name for name in dynamic(library, "NEEDED") if not LIBRARIES.fullmatch(name)]
    for complaint in [*too_new, *(f"needs {name}" for name in strange)]:
        print(f"{library.name}: {complaint}, which docs/ABI.md does not say", file=sys.stderr)
    if not symbols:
        print(f"{library.name}: no symbol of glibc found", file=sys.stderr)
    return 1 if too_new or strange or not symbols else 0


def stated_floor() -> tuple[int, ...]:
    found = re.search(r"^- \*\*glibc:\*\* ([\d.]+) or later", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise SystemExit("docs/ABI.md names no glibc")
    return as_numbers(found.group(1))


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def dynamic(library: Path, entry: str) -> list[str]:
    return re.findall(rf"^\s*{entry}\s+(\S+)$", output("objdump", "-p", str(library)), re.MULTILINE)


def diff(library: Path, build: Path) -> int:
    tag = last_tag()
    if tag is None:
        print("no tag yet: nothing to compare the ABI with")
        return 0
    before = build_tag(tag, build)
    if dynamic(before, "SONAME") != dynamic(library, "SONAME"):
        print(f"{tag} has another SONAME: the ABI may differ")
        return 0
    suppressions = ["--suppressions", str(HERE / "abi.suppr"), "--no-added-syms"]
    result = subprocess.run(["abidiff", *suppressions, str(before), str(library)], check=False)
    complaints = layout_complaints(output("git", "-C", str(ROOT), "show", f"{tag}:{LAYOUT}"))
    for complaint in complaints:
        print(f"{LAYOUT}: {complaint}")
    is_compatible = result.returncode == 0 and not complaints
    print(f"ABI against {tag}: {'the same, or more' if is_compatible else 'not compatible'}", flush=True)
    return 0 if is_compatible else 1


def layout_complaints(before: str) -> list[str]:
    """Fields that are not where they were, and structs that are too short or may not change."""
    structs = re.compile(r"^STRUCT\((\w+), (\d+)\)$", re.MULTILINE)
    fields = re.compile(r"^FIELD\(.+\)$", re.MULTILINE)
    now = (ROOT / LAYOUT).read_text(encoding="utf-8")
    sizes = {name: int(size) for name, size in structs.findall(now)}
    kept = set(fields.findall(now))
    complaints = [f"no longer {field}" for field in fields.findall(before) if field not in kept]
    for name, size in structs.findall(before):
        if sizes.get(name, 0) < int(size) or (name in FIXED and sizes[name] != int(size)):
            complaints.append(f"{name} had {size} bytes and has {sizes.get(name, 0)}")
    return complaints


def last_tag() -> str | None:
    result = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return result.stdout.strip() or None


def build_tag(tag: str, build: Path) -> Path:
    """The library of a tag, built from a copy of its tree; kept for the next time."""
    commit = output("git", "-C", str(ROOT), "rev-parse", f"{tag}^{{commit}}").strip()
    library = build / f"{tag}-{commit[:12]}.so"
    if library.exists():
        return library
    source, target = build / "source", build / "target"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    archive = subprocess.Popen(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", str(source)], stdin=archive.stdout, check=True)
    if archive.wait() != 0:
        raise SystemExit(f"no tree of {tag}")
    cargo = os.environ.get("CARGO", "cargo")
    subprocess.run([cargo, "build", "--quiet", "--lib", "--target-dir", str(target)], cwd=source, check=True)
    shutil.copy(target / "debug" / "librtcmsg.so", library)
    return library


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
