"""Figures of many rounds: stored one by one, shown as median and spread, as ratios of the same round, and as JSON."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

Key = tuple[str, str, str]
"""Case, subject, metric."""

UNITS = {
    "wall p50": "us",
    "wall p99": "us",
    "wall p99.9": "us",
    "wall": "us",
    "cpu": "us",
    "peak memory": "KB",
    "heap growth": "B",
    "allocated": "B",
    "size": "B",
    "sign": "ns",
    "quota used": "%",
    "stats p50": "us",
    "behind a full room": "ms",
    "behind a busy client": "ms",
    "close(0)": "us",
    "free": "us",
}
"""What is not named here is a number of things, or a ratio."""


@dataclass
class Figures:
    """Each figure has a value per round, in the order of the rounds."""

    values: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, case: str, subject: str, metric: str, value: float) -> None:
        self.values[case, subject, metric].append(value)

    def of(self, case: str, subject: str, metric: str) -> list[float]:
        return self.values.get((case, subject, metric), [])

    def median(self, case: str, subject: str, metric: str) -> float | None:
        found = self.of(case, subject, metric)
        return statistics.median(found) if found else None

    def cell(self, case: str, subject: str, metric: str) -> str:
        """`12.3 (11.9–14.0)`, or a dash where nothing was measured."""
        found = self.of(case, subject, metric)
        if not found:
            return "–"
        middle, low, high = (number(x) for x in (statistics.median(found), min(found), max(found)))
        return middle if low == high else f"{middle} ({low}–{high})"

    def ratios(self, case: str, subject: str, metric: str, to: str, to_metric: str = "") -> list[float]:
        """Of each round, so that a slow moment of the machine, which affects both, does not count."""
        pairs = zip(self.of(case, subject, metric), self.of(case, to, to_metric or metric))
        return [mine / theirs for mine, theirs in pairs if theirs]

    def ratio(self, case: str, subject: str, metric: str, to: str) -> str:
        found = self.ratios(case, subject, metric, to)
        return f"{statistics.median(found):.2f}" if found else "–"

    def write(self, path: Path) -> None:
        rows = [
            {
                "case": case,
                "subject": subject,
                "metric": metric,
                "median": round(statistics.median(found), 3),
                "min": round(min(found), 3),
                "max": round(max(found), 3),
                "unit": UNITS.get(metric, ""),
            }
            for (case, subject, metric), found in self.values.items()
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows, indent=1) + "\n")


def number(value: float) -> str:
    """As many digits as mean something."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
