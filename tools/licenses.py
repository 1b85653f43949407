"""Writes the licences of the third parties whose code is in the library: what a binary release must carry.

The crates are those that cargo links: no build tools, procedural macros or dev-dependencies. The texts are the files in the
crates; a crate without one is an error. The notice of Rust's standard library is copied from the toolchain.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
TEXTS = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)[^.]*(\.(md|txt))?", re.IGNORECASE)
STANDARD_LIBRARY = Path("share/doc/rust/COPYRIGHT-library.html")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default="rtcmsg")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    linked = linked_crates(options.package)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    parts = [head(options.package, linked), standard_library(options.out.parent)]
    bare = []
    for crate in packages():
        if f"{crate['name']} {crate['version']}" not in linked:
            continue
        part = section(crate)
        if part is None:
            bare.append(f"{crate['name']} ({crate['license']})")
        else:
            parts.append(part)
    if bare:
        print(f"no licence text found: {', '.join(bare)}", file=sys.stderr)
        return 1
    options.out.write_text("\n".join(parts), encoding="utf-8")
    print(f"{options.out}: {len(parts) - 2} crates and the standard library")
    return 0


def linked_crates(package: str) -> set[str]:
    found: set[str] = set()
    for target in TARGETS:
        edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe", "--target", target]
        lines = cargo("tree", "--locked", "--package", package, *edges).splitlines()
        found |= {" ".join(line.split()[:2]).replace(" v", " ") for line in lines if line}
    return found


def packages() -> list[dict[str, str]]:
    """All that cargo knows of but our own, which are not third parties."""
    crates: list[dict[str, str]] = json.loads(cargo("metadata", "--locked", "--format-version", "1"))["packages"]
    return sorted((crate for crate in crates if crate["source"]), key=lambda crate: (crate["name"], crate["version"]))


def cargo(*arguments: str) -> str:
    command = [os.environ.get("CARGO", "cargo"), *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def head(package: str, linked: set[str]) -> str:
    return (
        f"# Third parties in {package}\n\nThe {len(linked) - 1} crates that are linked into it, and Rust's standard "
        "library, each under its own licence. Written by `make licenses`.\n"
    )


def standard_library(beside: Path) -> str:
    def rustc(asked: str) -> str:
        command = [os.environ.get("RUSTC", "rustc"), *asked.split()]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    notice = Path(rustc("--print sysroot")) / STANDARD_LIBRARY
    if not notice.exists():
        raise SystemExit(f"{notice} is not there: collect the licences with a newer Rust")
    shutil.copy(notice, beside)
    return f"## Rust's standard library\n\nOf {rustc('--version')}; see {STANDARD_LIBRARY.name}, to be passed on with this.\n"


def section(crate: dict[str, str]) -> str | None:
    folder = Path(crate["manifest_path"]).parent
    files = sorted(file for file in folder.rglob("*") if file.is_file() and TEXTS.fullmatch(file.name))
    texts = [(file.relative_to(folder), file.read_text(encoding="utf-8", errors="replace").strip()) for file in files]
    if not texts:
        return None
    where = f"\n{crate['repository']}\n" if crate["repository"] else ""
    bodies = "".join(f"\n### {name}\n\n```text\n{text}\n```\n" for name, text in texts)
    return f"## {crate['name']} {crate['version']}: {crate['license']}\n{where}{bodies}"


if __name__ == "__main__":
    sys.exit(main())
