#!/usr/bin/env python3
"""Checks the Markdown pages: each relative link leads to a file, each anchor to a heading, and each block of code after
"From [FILE](...):" is a part of that file.

usage: pages.py PAGE...
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import unquote

BLOCK = re.compile(r"^(```+).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)[ \t#]*$", re.MULTILINE)
EXCERPT = re.compile(r"From\s+\[[^\]]+\]\(([^)\s]+)\):\n\n```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return {slug(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)) for title in HEADING.findall(text)}


def complaints(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = []
    for link in LINK.findall(CODE.sub("", BLOCK.sub("", text))):
        path, _, anchor = unquote(link).partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = page.parent / path if path else page
        if not target.exists():
            found.append(f"links to {link}, which does not exist")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            found.append(f"links to {link}, but there is no such heading")
    for name, code in EXCERPT.findall(text):
        source = page.parent / name
        if source.is_file() and code not in source.read_text(encoding="utf-8"):
            found.append(f"shows code that is not in {name}")
    return found


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    pages = [Path(argument) for argument in sys.argv[1:]]
    wrong = [f"{page}: {complaint}" for page in pages for complaint in complaints(page)]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(pages)} pages, {len(wrong)} wrong links or blocks of code")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
