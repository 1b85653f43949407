#!/usr/bin/env python3
"""Compares a page with its translation. Both must have headings of the same levels in the same order, tables of the same
shape, identical blocks of code, the same relative links, whose targets exist, and a link to each other at the top.

usage: readme.py PAGE TRANSLATION
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

BLOCK = re.compile(r"^(```+).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}(?= )", re.MULTILINE)
TABLE_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SCHEME = re.compile(r"[a-z]+:")

# The link to the other page must be within this many lines.
TOP_LINES = 5


class Page:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.blocks = list(BLOCK.finditer(self.text))
        # Without its blocks, of which each line stays as an empty one: numbers of lines are still right.
        self.prose = BLOCK.sub(lambda block: "\n" * block[0].count("\n"), self.text)
        self.headings = list(HEADING.finditer(self.prose))
        self.table_rows = list(TABLE_ROW.finditer(self.prose))
        self.links = {link for link in LINK.findall(self.prose) if not SCHEME.match(link)}

    def place(self, text: str, position: int) -> str:
        return f"{self.path}:{text.count(chr(10), 0, position) + 1}"

    def line(self, text: str, found: re.Match[str] | None) -> str:
        if found is None:
            return f"{self.path}: none"
        return f"{self.place(text, found.start())}: {text[found.start() :].partition(chr(10))[0]}"

    def points_to(self, link: str) -> bool:
        return (self.path.parent / link.partition("#")[0]).exists()


def first_difference(one: Sequence[str], other: Sequence[str]) -> int | None:
    pairs = enumerate(zip_longest(one, other))
    return next((index for index, (left, right) in pairs if left != right), None)


def at(found: list[re.Match[str]], index: int) -> re.Match[str] | None:
    return found[index] if index < len(found) else None


def differences(page: Page, translation: Page) -> list[str]:
    wrong = []
    index = first_difference(
        [heading[0] for heading in page.headings], [heading[0] for heading in translation.headings]
    )
    if index is not None:
        lines = [each.line(each.prose, at(each.headings, index)) for each in (page, translation)]
        wrong.append(f"heading {index + 1} is not of one level\n  " + "\n  ".join(lines))
    index = first_difference(*([shape(row[0]) for row in each.table_rows] for each in (page, translation)))
    if index is not None:
        lines = [each.line(each.prose, at(each.table_rows, index)) for each in (page, translation)]
        wrong.append(f"row {index + 1} of the tables has not as many cells\n  " + "\n  ".join(lines))
    index = first_difference([block[0] for block in page.blocks], [block[0] for block in translation.blocks])
    if index is not None:
        wrong.append(block_difference(page, translation, index))
    mutual = {page.path.name, translation.path.name}
    for one, other in ((page, translation), (translation, page)):
        if f"]({other.path.name})" not in "".join(one.text.splitlines(keepends=True)[:TOP_LINES]):
            wrong.append(f"{one.path}: no link to {other.path.name} in its first {TOP_LINES} lines")
        wrong += [f"{one.path}: lacks the link to {link}" for link in sorted(other.links - one.links - mutual)]
        wrong += [
            f"{one.path}: links to {link}, which is not there" for link in sorted(one.links) if not one.points_to(link)
        ]
    return wrong


def shape(row: str) -> str:
    """A row of dashes also says how its columns are aligned."""
    return row if not re.search(r"[^|:\- ]", row) else "|" * row.count("|")


def block_difference(page: Page, translation: Page, index: int) -> str:
    blocks = [at(each.blocks, index) for each in (page, translation)]
    contents = [block[0].split("\n") if block else [] for block in blocks]
    down = first_difference(*contents) or 0
    lines = [f"block of code {index + 1} is not the same"]
    for each, block, content in zip((page, translation), blocks, contents):
        if block is None:
            lines.append(f"  {each.path}: none")
        else:
            start = each.text.count("\n", 0, block.start()) + 1
            lines.append(f"  {each.path}:{start + down}: {content[down] if down < len(content) else '(its end)'}")
    return "\n".join(lines)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    page, translation = (Page(Path(argument)) for argument in sys.argv[1:])
    wrong = differences(page, translation)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    print(
        f"{translation.path} is in step: {len(page.headings)} headings, {len(page.table_rows)} rows of tables, "
        f"{len(page.blocks)} blocks of code, {len(page.links)} links"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
