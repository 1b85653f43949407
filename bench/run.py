"""`make bench`: the peers and us, side by side, on this machine, in one run. bench/README.md says how to read it.

Builds what is missing, serves fixed answers from nginx, lets every subject send for a short slice in each of several
rounds, and prints the tables. Every figure also goes to bench.json in the target directory.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

import messages
import report
import stages
from build import ROOT, build
from figures import Figures
from server import Server

STAGES = ("sends", "calls", "sign", "submit", "queue", "quota", "size", "cold", "soak")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every measurement (5)")
    parser.add_argument("--slice", type=float, default=0.4, help="seconds that a subject sends in a round, about (0.4)")
    parser.add_argument("--quick", action="store_true", help="shows that everything runs; the figures mean little")
    parser.add_argument("--only", default=",".join(STAGES), help=f"stages, of {','.join(STAGES)}")
    parser.add_argument("--cases", default=",".join(messages.CASES), help=f"of {','.join(messages.CASES)}")
    parser.add_argument("--subjects", default="", help="of the sends; all if not given")
    parser.add_argument(
        "--soak", type=int, default=int(os.environ.get("SOAK_SENDS", "1000000")), help="sends of the soak (SOAK_SENDS)"
    )
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.slice, given.soak = min(given.rounds, 2), 0.05, min(given.soak, 20000)
    for name, known in (("only", STAGES), ("cases", messages.CASES)):
        unknown = set(getattr(given, name).split(",")) - set(known)
        if unknown:
            parser.error(f"--{name}: {', '.join(sorted(unknown))} is none of {', '.join(known)}")
    return given


def main() -> int:
    given = arguments()
    # As an exception, so that the server is also stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    say("building")
    built = build(target)
    figures, problems = Figures(), []
    with Server(built.work / "nginx") as server:
        bench = stages.Bench(built, server, figures, given)
        for name in given.only.split(","):
            say(name)
            try:
                getattr(stages, name)(bench)
            except stages.Failed as why:
                problems.append(f"{name}: {why}")
        problems += bench.problems
    print(report.markdown(figures, built.left_out, given))
    figures.write(target / "bench.json")
    for problem in problems:
        print(f"FAILED {problem}", file=sys.stderr)
    return 1 if problems else 0


def say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
