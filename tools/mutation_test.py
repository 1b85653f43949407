"""A mutation test of `make check` and `make test`: puts a defect into a copy of the repository, one at a time, and shows
that the step that exists to find this defect fails.

It is run by hand (`make mutation-test`) and needs some minutes. It copies the last commit, not the working tree.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN_C = "make lib && python3 tools/run_c.py --lib $CARGO_TARGET_DIR/debug --emulator $CARGO_TARGET_DIR/debug/rtcmsg-emulator"


@dataclass(frozen=True)
class Defect:
    """One replacement, the command that must fail, and the text that it must print."""

    name: str
    file: str
    old: str
    new: str
    step: str
    says: str


NULL_CHECK = ("src/ffi/input.rs", "unsafe { pointer.as_ref() }.ok_or_else(|| null(name))", "Ok(unsafe { &*pointer })")
LEAK = ("src/ffi/report.rs", "drop(unsafe { Box::from_raw(report) });", "")
DOUBLE_FREE = (
    "src/ffi/config.rs",
    "drop(unsafe { Box::from_raw(config) });",
    "unsafe { drop(Box::from_raw(config)); drop(Box::from_raw(config)); }",
)
USE_AFTER_FREE = (
    "src/ffi/report.rs",
    "drop(unsafe { Box::from_raw(report) });",
    "unsafe { drop(Box::from_raw(report)); (*report).report.code(); }",
)
SECRET = (
    "src/engine/mod.rs",
    'format!("client made: {}", engine.vendors().names().join(" and "))',
    'format!("client made: {} {}", engine.vendors().names().join(" and "), config.text(&config::ZEGO_SERVER_SECRET))',
)


def exchanged(file: str, first: str, second: str) -> tuple[str, str, str]:
    """Exchanges two fields of a struct, whatever their comments say."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.search(rf"pub {first}: i32,\n(?: +///.*\n)+ +pub {second}: i32,", text)
    old = found[0] if found else f"{first} and {second} of {file}"
    return file, old, old.replace(first, "\0").replace(second, first).replace("\0", second)


STRUCT = exchanged("src/ffi/client.rs", "timeout_ms", "expires_in_ms")
NO_LEADER = ("src/quota/waitlist/mod.rs", "            self.wake(waiter_id);\n", "")
OLD_SLOT = (
    "src/quota/bucket/mod.rs",
    "waitlist.renew(slot, now)",
    "{ let _ = (slot, now); waitlist.len() < usize::MAX }",
)

DEFECTS = [
    Defect("a missing NULL check", *NULL_CHECK, f"{RUN_C} bad_input_arguments", r"exit code -\d+"),
    Defect("a leaked report, by AddressSanitizer", *LEAK, f"{RUN_C} --mode asan call", "detected memory leaks"),
    Defect("a leaked report, by memcheck", *LEAK, f"{RUN_C} --mode memcheck call", "definitely lost"),
    Defect("a leaked report, by mallinfo2", *LEAK, f"{RUN_C} growth", "not true: grown <="),
    Defect("a double free, plain", *DOUBLE_FREE, f"{RUN_C} call", r"exit code -\d+"),
    Defect("a double free, by AddressSanitizer", *DOUBLE_FREE, f"{RUN_C} --mode asan call", "AddressSanitizer"),
    Defect("a double free, by memcheck", *DOUBLE_FREE, f"{RUN_C} --mode memcheck call", r"Invalid (read|free)"),
    Defect("a read after free, by memcheck", *USE_AFTER_FREE, f"{RUN_C} --mode memcheck call", "Invalid read"),
    Defect("a secret in a log line", *SECRET, f"{RUN_C} config", "holds"),
    Defect("a changed struct, against the header", *STRUCT, "make check-header", "timeout_ms"),
    Defect("a changed struct, against the table", *STRUCT, "cargo test --lib tests::abi_layout", "is out of date"),
    Defect("a changed struct, by its behaviour", *STRUCT, f"{RUN_C} dns", "failures: [1-9]"),
    Defect("a changed struct, all pages written again", *STRUCT, "make header check-abi", "not compatible"),
    Defect("a leader that is not woken", *NO_LEADER, "cargo test --lib quota", "FAILED"),
    Defect("a slot that is not moved to its first byte", *OLD_SLOT, "cargo test --lib quota", "FAILED"),
]


def main() -> int:
    wanted = sys.argv[1:]
    if wanted == ["--check"]:
        unfit = [d.name for d in DEFECTS if (ROOT / d.file).read_text(encoding="utf-8").count(d.old) != 1]
        print(f"{len(DEFECTS)} defects, {len(unfit)} do not fit", *unfit, sep="\n  ")
        return 1 if unfit else 0
    defects = [defect for defect in DEFECTS if not wanted or any(part in defect.name for part in wanted)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="rtcmsg-mutation-") as directory:
        copy = Path(directory) / "rtcmsg"
        env = {**os.environ, "CARGO_TARGET_DIR": os.environ.get("MUTATION_TARGET_DIR", f"{directory}/target")}
        git("clone", "--quiet", str(ROOT), str(copy))
        # abidiff compares with the last tag: this is the commit without a defect.
        git("-C", str(copy), "tag", "--force", "v0.0.0-mutation")
        for defect in defects:
            verdict = noticed(defect, copy, env)
            print(f"{defect.name}: {verdict or 'NOT NOTICED'}", flush=True)
            missed += verdict is None
    print(f"{len(defects) - missed} of {len(defects)} noticed")
    return 1 if missed or not defects else 0


def noticed(defect: Defect, copy: Path, env: dict[str, str]) -> str | None:
    """The line in which the step reported the defect; None if it did not."""
    git("-C", str(copy), "checkout", "--quiet", "--force", ".")
    file = copy / defect.file
    text = file.read_text(encoding="utf-8")
    if text.count(defect.old) != 1:
        raise SystemExit(f"{defect.name}: does not fit {defect.file} any more")
    file.write_text(text.replace(defect.old, defect.new), encoding="utf-8")
    step = subprocess.run(
        ["sh", "-c", defect.step],
        cwd=copy,
        env=env,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines = [line for line in step.stdout.splitlines() if re.search(defect.says, line)]
    if step.returncode == 0 or not lines:
        print(step.stdout[-3000:])
        return None
    return lines[-1].strip()[:160]


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
