#!/usr/bin/env python3
"""Counts phrases that are hard to read in the project's prose, and fails where a group of files has too many of them.

Prose is the text of a Markdown page without its code, and the comments of a source file (in Python the docstrings as well).
The count is an alarm and not a judge: a text without these phrases can still be hard to read.

usage: prose.py [--list] [--limit GROUP=NUMBER]... [GROUP...]
       prose.py --self-test
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A blank in a phrase also matches a line break. Case does not count.
PHRASES = [
    r"\b(taken|take|takes|took) (this message |a message |it |messages? )?in\b(?! (?:a|the|its|order|one|several))",
    r"(became|becomes?) of\b",
    r"\b(is|are|was|be) (no|none)\b",
    r"\balone\b",
    r"\bso (many|long|much)\b",
    r"\bmend",
    r"\b(under way|on its way|on their way)\b",
    r"\bg(i|a)ves? way",
    r"\b(whoever|nobody|somebody|everybody)\b",
    r"for want of",
    r"one (behind|after) (the|an)?other",
    r"\b(tells|told)\b",
    r"\b(stands?|stood)\b",
    r", too[.;,:)]",
]
BLANK = r"(?:[ \t]+|[ \t]*\n[ \t]*)"
IDIOM = re.compile("|".join(f"(?:{phrase.replace(' ', BLANK)})" for phrase in PHRASES), re.IGNORECASE)
WORD = re.compile(r"[A-Za-z][\w'-]*")

# Takes the place of each character that is not prose, so that places stay right and no phrase reaches across.
GAP = "\0"


@dataclass(frozen=True)
class Group:
    """Files that share a limit: phrases per 1,000 words."""

    limit: float
    patterns: tuple[str, ...]


PAGES = (
    "docs/*.md",
    "CONTRIBUTING.md",
    "bench/README.md",
    "bindings/*/README.md",
    "emulator/README.md",
    "examples/README.md",
    "tests/README.md",
)
GROUPS = {
    "readme": Group(1.0, ("README.md",)),
    "header": Group(1.0, ("include/rtcmsg.h", "include/rtcmsg.hpp")),
    "docs": Group(1.0, PAGES),
    "src": Group(2.0, ("src/**/*.rs", "build.rs")),
    "bindings": Group(2.0, tuple(f"bindings/**/*.{ext}" for ext in ("py", "go", "c", "h"))),
    "emulator": Group(2.0, ("emulator/**/*.rs",)),
    "tests": Group(2.0, tuple(f"tests/**/*.{ext}" for ext in ("rs", "py", "go", "c", "h", "cpp", "hpp"))),
    "tools": Group(2.0, ("tools/**/*.py", "bench/**/*.py", "bench/**/*.go", "bench/**/*.c", "fuzz/**/*.rs")),
    "examples": Group(2.0, tuple(f"examples/**/*.{ext}" for ext in ("py", "go", "c", "cpp"))),
}


def gap(text: str) -> str:
    """As long as `text`, without its prose: only the blanks stay."""
    return re.sub(r"\S", GAP, text)


def blank(marks: re.Pattern[str], text: str) -> str:
    return marks.sub(lambda mark: " " * len(mark[0]), text)


def keep(text: str, kept: Iterator[tuple[int, int]]) -> str:
    """`text` with gaps for all that is not within one of the ranges, which are in order."""
    parts = []
    end = 0
    for start, stop in kept:
        parts += [gap(text[end:start]), text[start:stop]]
        end = stop
    return "".join([*parts, gap(text[end:])])


CODE_IN_PAGES = re.compile(
    r"^[ \t]*(?P<fence>```+)[^\n]*\n.*?^[ \t]*(?P=fence)[ \t]*$"  # A block of code.
    r"|<!--.*?-->"
    r"|(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n)[^\0])*?(?P=ticks)"  # Code within a paragraph.
    r"|\]\([^)\s]*\)"  # The target of a link.
    r"|https?://\S+",
    re.MULTILINE | re.DOTALL,
)


def prose_of_markdown(text: str) -> str:
    return CODE_IN_PAGES.sub(lambda code: gap(code[0]), text)


LINE_COMMENT = r"(?P<line>//[^\n]*)"
BLOCK_COMMENT = r"(?P<block>/\*.*?\*/)"
STRING = r'"(?:[^"\\]|\\.)*"'

TOKENS_OF_C = re.compile(
    rf'{LINE_COMMENT}|{BLOCK_COMMENT}|R"(?P<mark>[^\s()\\]{{0,16}})\(.*?\)(?P=mark)"|{STRING}'
    # The quote within a number, as in 1'000, is not a character.
    r"|[0-9][0-9a-zA-Z_']*|'(?:[^'\\\n]|\\.)+'",
    re.DOTALL,
)
TOKENS_OF_GO = re.compile(rf"{LINE_COMMENT}|{BLOCK_COMMENT}|`[^`]*`|{STRING}|'(?:[^'\\\n]|\\.)+'", re.DOTALL)
TOKENS_OF_RUST = re.compile(
    rf'{LINE_COMMENT}|(?P<open>/\*)|\b[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)|{STRING}'
    # A lifetime has no second quote.
    r"|'(?:[^'\\\n]|\\[^u\n]|\\x[0-9a-fA-F]{2}|\\u\{[^}]*\})'",
    re.DOTALL,
)


def comments(text: str, tokens: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    at = 0
    while found := tokens.search(text, at):
        at = found.end()
        kind = found.groupdict()
        if kind.get("open"):
            at = end_of_nested(text, found.start())
        if kind.get("open") or kind.get("line") or kind.get("block"):
            yield found.start(), at


def end_of_nested(text: str, start: int) -> int:
    """Comments of Rust hold others."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


# The marks of comments count as blanks, so that a phrase is found across the lines of one comment.
MARKS = re.compile(r"^[ \t]*\*(?!/)|/\*[*!]*|\*/|(?<!:)//[/!]*", re.MULTILINE)


def prose_of_comments(tokens: re.Pattern[str]) -> Callable[[str], str]:
    def prose(text: str) -> str:
        kept = keep(text, comments(text, tokens))
        return prose_of_markdown(blank(MARKS, kept))

    return prose


MARKS_OF_PYTHON = re.compile(r'^[ \t]*#+|"""', re.MULTILINE)


def prose_of_python(text: str) -> str:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    docstrings = {
        (node.body[0].lineno, node.body[0].col_offset)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and ast.get_docstring(node, clean=False) is not None
    }

    def ranges() -> Iterator[tuple[int, int]]:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            start, stop = (starts[line - 1] + column for line, column in (token.start, token.end))
            if token.type == tokenize.COMMENT or token.start in docstrings:
                yield start, stop

    kept = keep(text, ranges())
    return prose_of_markdown(blank(MARKS_OF_PYTHON, kept))


EXTRACTORS: dict[str, Callable[[str], str]] = {
    ".md": prose_of_markdown,
    ".py": prose_of_python,
    ".rs": prose_of_comments(TOKENS_OF_RUST),
    ".go": prose_of_comments(TOKENS_OF_GO),
    **dict.fromkeys((".c", ".h", ".cpp", ".hpp"), prose_of_comments(TOKENS_OF_C)),
}


def idioms(prose: str) -> list[tuple[int, str]]:
    """The phrases with the numbers of their lines."""
    return [(prose.count("\n", 0, found.start()) + 1, " ".join(found[0].split())) for found in IDIOM.finditer(prose)]


def files_of(group: Group) -> list[Path]:
    """What git knows, so that no build directory is read."""
    globs = [f":(top,glob){pattern}" for pattern in group.patterns]
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *globs]
    names = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


def count(name: str, limit: float, shows_places: bool) -> bool:
    """Whether the group is within its limit."""
    words = found = 0
    rows = []
    for path in files_of(GROUPS[name]):
        prose = EXTRACTORS[path.suffix](path.read_text(encoding="utf-8"))
        here = idioms(prose)
        words += len(WORD.findall(prose))
        found += len(here)
        rows.append((len(here), path.relative_to(ROOT), here))
    rate = 1000 * found / words if words else 0.0
    is_right = rate <= limit
    print(
        f"{name}: {rate:.1f} in 1,000 words ({found} in {words:,}), at most {limit:.1f}{'' if is_right else ': TOO MANY'}"
    )
    if shows_places:
        for _, path, here in sorted(rows, key=lambda row: -row[0]):
            for line, phrase in here:
                print(f"  {path}:{line}: {phrase}")
    elif not is_right:
        for number, path, _ in sorted(rows, key=lambda row: -row[0])[:5]:
            print(f"  {number:4} {path}")
    return is_right


def limit_of_group(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    if name not in GROUPS:
        raise argparse.ArgumentTypeError(f"unknown group {name!r}; the groups are {', '.join(GROUPS)}")
    return name, float(number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="show each place")
    parser.add_argument("--limit", type=limit_of_group, action="append", default=[], metavar="GROUP=NUMBER")
    parser.add_argument("--self-test", action="store_true", help="test the extractors")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="all, if none is given")
    options = parser.parse_args()
    if unknown := [name for name in options.groups if name not in GROUPS]:
        parser.error(f"unknown group {unknown[0]!r}; the groups are {', '.join(GROUPS)}")
    if options.self_test:
        return self_test()
    limits = {name: group.limit for name, group in GROUPS.items()} | dict(options.limit)
    results = [count(name, limits[name], options.list) for name in options.groups or GROUPS]
    if not all(results):
        print("prose.py --list GROUP shows each place", file=sys.stderr)
    return 0 if all(results) else 1


# The suffix of a file, its text, and the numbers of the lines in which a phrase is found.
CASES: list[tuple[str, str, list[int]]] = [
    (".md", "It is none.\n\n```c\nit is none\n```\n`is none` and [alone](alone.md)\n", [1, 6]),
    (".md", "It\nis\nno thread.\n", [2]),
    (".md", "What it is\n\nno thread reads\n", []),
    (".md", "| `alone` | a |\n|---|---|\n| b | alone |\n", [3]),
    (".md", "It has several, too.\nAnd two too many.\n", [1]),
    (".md", "Messages are taken in.\nIt is taken in the order of arrival.\n", [1]),
    (".md", "``` is not a fence here: alone ```\n~alone\n", [2]),
    (".rs", '//! alone\nlet a = "// alone"; // alone\nlet b = r#"" // alone"#;\n', [1, 2]),
    (".rs", "/* a /* b */ alone */ fn alone() {}\n", [1]),
    (".rs", "fn a<'a>(b: &'a str) {} // alone\nlet quote = '\"'; // alone\nlet other = '\\''; // alone\n", [1, 2, 3]),
    (".rs", "/// What it is\n/// no thread reads.\nstruct A;\n", [1]),
    (".rs", "/// What it is\nlet a = 1; // no thread reads\n", []),
    (".rs", "/// What it is\n\n// no thread reads\n", []),
    (".rs", "/// ```\n/// alone();\n/// ```\n/// `alone`\nfn a() {}\n", []),
    (".rs", "/// One ` here.\n\n/// alone\n/// One ` there.\nfn a() {} // alone\n", [3, 5]),
    (".rs", 'let a = b"\\"// alone"; let c = br"\\"; // alone\n', [1]),
    (".c", 'char *a = "/* alone */"; /* it is\n * none */ char b = \'"\'; // alone\n', [1, 2]),
    (".c", "/** alone */\nint alone;\n", [1]),
    (".c", "/* a */ int it_is; /* no b */\n", []),
    (".cpp", 'auto a = R"x(" // alone)" )x"; // alone\nint b = 1\'000; // alone\n', [1, 2]),
    (".go", 'a := `// alone\n`\nb := "// alone" // alone\nc := \'"\' // alone\n', [3, 4]),
    (".go", "//go:build alone\npackage a // alone\n", [1, 2]),
    (".py", '"""alone"""\na = "alone"  # alone\n\ndef b():\n    """It is\n    none."""\n    "alone"\n', [1, 2, 5]),
    (".py", 'def a():\n    """`alone`"""\n    return """alone"""  # "alone"\n', [3]),
    (".py", "# It is\n# none.\nx = 1\n", [1]),
    (".py", "if x:\n    # It is\n    # none.\n    x = 1\n", [2]),
    (".py", "x = 1  # It is\ny = 2  # none.\n", []),
]


def self_test() -> int:
    wrong = 0
    for suffix, text, expected in CASES:
        prose = EXTRACTORS[suffix](text)
        lines = [line for line, _ in idioms(prose)]
        if lines != expected or len(prose) != len(text):
            wrong += 1
            print(f"{suffix}: {text!r}\n  found on lines {lines}, expected {expected}\n  {prose!r}", file=sys.stderr)
    print(f"prose.py: {len(CASES)} cases, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
