"""Checks that the modules of a Rust crate import downwards only, and in no circle.

    imports.py [--self-test] FOLDER...

FOLDER is a key of LAYERS. The check reads `use` declarations and plain paths in code (`crate::x::y`, `super::y`, `child::y`),
and reports with file and line
- an upward import: a module imports one of a higher layer, or an item that only `lib.rs` re-exports;
- a circle between the modules of one folder, with `mod.rs` as one of them. Every folder is checked.
Modules of the same layer may import one another. Test code does not count: items under `#[cfg(test)]`, the files that such a
`mod` names, and the files of TEST_FILES.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

# From top to bottom. "lib" is lib.rs.
LAYERS: dict[str, list[list[str]]] = {
    "src": [
        ["lib"],
        ["ffi"],
        ["client"],
        ["dispatch"],
        ["engine"],
        ["http", "quota", "volcengine", "zego"],
        [
            "message",
            "action",
            "report",
            "config",
            "error",
            "log",
            "secret",
            "redact",
            "metrics",
            "os",
            "panic_injection",
        ],
        ["util"],
    ],
    "emulator/src": [
        ["lib"],
        ["http"],
        ["service"],
        ["volcengine", "zego"],
        ["context", "request_log"],
        ["state"],
        ["options"],
        ["faults"],
        ["request"],
        ["error", "hex", "json", "moment", "reply", "vendor"],
    ],
}

TEST_FILES = {"tests.rs", "models.rs"}

# The roots of other crates in the same folder.
OTHER_ROOTS = {"main.rs"}

ModulePath = tuple[str, ...]

TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]* )
    | (?P<block> /\* )
    | (?P<string> (?:b|c)?r(?P<hashes>\#*)".*?"(?P=hashes) | (?:b|c)?"(?:\\.|[^"\\])*" )
    | (?P<char> b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])' )
    | (?P<lifetime> '[A-Za-z_]\w* )
    | (?P<word> (?:r\#)?[A-Za-z_]\w* )
    | (?P<other> :: | \S )
    """,
    re.DOTALL | re.VERBOSE,
)
BLOCK_EDGE = re.compile(r"/\*|\*/")
WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Token:
    text: str
    line: int


@dataclass(frozen=True)
class Import:
    importer: ModulePath
    imported: ModulePath
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Crate:
    root: Path
    layers: list[list[str]]
    files: dict[ModulePath, Path] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)


def tokens_of(source: str) -> list[Token]:
    """The code without comments; literals become the token `""`."""
    tokens = []
    position, line = 0, 1
    while match := TOKEN.search(source, position):
        line += source.count("\n", position, match.start())
        end = match.end()
        if match["block"]:
            end = end_of_block_comment(source, match.start())
        elif match["word"] or match["other"]:
            tokens.append(Token(match.group().removeprefix("r#"), line))
        elif match["string"] or match["char"]:
            tokens.append(Token('""', line))
        line += source.count("\n", match.start(), end)
        position = end
    return tokens


def end_of_block_comment(source: str, start: int) -> int:
    depth = 0
    for edge in BLOCK_EDGE.finditer(source, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(source)


def group_end(tokens: list[Token], opening: int) -> int:
    """The index after the bracket that closes the one at `opening`."""
    depth = 0
    for index in range(opening, len(tokens)):
        if tokens[index].text in ("(", "[", "{"):
            depth += 1
        elif tokens[index].text in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                return index + 1
    return len(tokens)


def item_end(tokens: list[Token], start: int) -> int:
    """The index after the item, field or statement at `start`."""
    index = start
    is_use = False
    while index < len(tokens):
        text = tokens[index].text
        if text in (";", ","):
            return index + 1
        if text in (")", "]", "}"):
            return index
        is_use = is_use or text == "use"
        if text in ("(", "[", "{"):
            index = group_end(tokens, index)
            if text == "{" and not is_use:
                return index
        else:
            index += 1
    return index


def is_for_tests(attribute: list[str]) -> bool:
    """Whether an attribute compiles its item in tests only: cfg(test), cfg(all(test, ...))."""
    if attribute[:2] != ["cfg", "("]:
        return False
    words = [text for text in attribute[2:] if WORD.fullmatch(text)]
    if words[:1] == ["all"]:
        return "test" in words and not {"any", "not"} & set(words)
    return words == ["test"]


def without_tests(tokens: list[Token]) -> tuple[list[Token], set[str]]:
    """The tokens without the items that exist in tests only, and the names of the modules among these."""
    kept: list[Token] = []
    test_modules = set()
    index = 0
    while index < len(tokens):
        if tokens[index].text != "#" or index + 1 == len(tokens) or tokens[index + 1].text != "[":
            kept.append(tokens[index])
            index += 1
            continue
        end = group_end(tokens, index + 1)
        if not is_for_tests([token.text for token in tokens[index + 2 : end - 1]]):
            kept.extend(tokens[index:end])
            index = end
            continue
        while end + 1 < len(tokens) and tokens[end].text == "#" and tokens[end + 1].text == "[":
            end = group_end(tokens, end + 1)
        after = item_end(tokens, end)
        item = [token.text for token in tokens[end:after]]
        if "mod" in item[:5] and item[-1:] == [";"]:
            test_modules.add(item[-2])
        index = after
    return kept, test_modules


def use_paths(tokens: list[Token], start: int) -> tuple[list[tuple[list[str], int]], int]:
    """The paths of the use tree at `start`, each with its line, and the index after the tree."""
    segments: list[str] = []
    index = start
    while index < len(tokens):
        token = tokens[index]
        if token.text == "{":
            paths = []
            index += 1
            while index < len(tokens) and tokens[index].text != "}":
                inner, index = use_paths(tokens, index)
                paths += [(segments + rest, line) for rest, line in inner]
                if index < len(tokens) and tokens[index].text == ",":
                    index += 1
            return paths, index + 1
        if token.text == "as":
            index += 2
        elif token.text == "::" or token.text == "*":
            index += 1
        elif WORD.fullmatch(token.text):
            if not (segments and token.text == "self"):
                segments.append(token.text)
            index += 1
        else:
            break
    return [(segments, tokens[min(index, len(tokens)) - 1].line)], index


class Reader:
    """Reads one file's imports."""

    def __init__(self, crate: Crate, module: ModulePath, tokens: list[Token]) -> None:
        self.crate = crate
        self.module = module
        self.tokens = tokens
        # The open braces, each with the name of the inline module that it opens, or None.
        self.braces: list[str | None] = []

    def read(self) -> None:
        texts = [token.text for token in self.tokens] + ["", "", ""]
        index = 0
        while index < len(self.tokens):
            text, following = texts[index], texts[index + 1]
            if text == "pub" and following == "(":
                index = group_end(self.tokens, index + 1)
            elif text == "use" and (following in ("{", "::") or WORD.fullmatch(following)):
                paths, index = use_paths(self.tokens, index + 1)
                for segments, line in paths:
                    self.add(segments, line)
            elif text == "mod" and texts[index + 2] == "{":
                self.braces.append(following)
                index += 3
            elif text in ("{", "}"):
                if text == "{":
                    self.braces.append(None)
                elif self.braces:
                    self.braces.pop()
                index += 1
            elif WORD.fullmatch(text) and following == "::" and texts[index - 1] != "::":
                segments = [text]
                line = self.tokens[index].line
                while texts[index + 1] == "::" and WORD.fullmatch(texts[index + 2]):
                    segments.append(texts[index + 2])
                    index += 2
                self.add(segments, line)
                index += 1
            else:
                index += 1

    def add(self, segments: list[str], line: int) -> None:
        current = list(self.module) + [name for name in self.braces if name]
        if not segments:
            return
        if segments[0] == "crate":
            path: list[str] = []
        elif segments[0] in ("self", "super"):
            path = current
        elif (*current, segments[0]) in self.crate.files:
            path = [*current, segments[0]]
        else:
            return
        for segment in segments[1:] if segments[0] != "super" else segments:
            if segment == "super":
                path = path[:-1]
            else:
                path = [*path, segment]
        while tuple(path) not in self.crate.files:
            path = path[:-1]
        if tuple(path) != self.module:
            file = self.crate.files[self.module]
            self.crate.imports.append(Import(self.module, tuple(path), file, line))


def read_crate(root: Path, layers: list[list[str]]) -> Crate:
    crate = Crate(root, layers)
    sources: dict[ModulePath, list[Token]] = {}
    test_modules: set[ModulePath] = set()
    for file in sorted(root.rglob("*.rs")):
        if file.name in TEST_FILES or (file.parent == root and file.name in OTHER_ROOTS):
            continue
        parts = file.relative_to(root).with_suffix("").parts
        module = parts[:-1] if parts[-1] in ("mod", "lib") else parts
        crate.files[module] = file
        sources[module], names = without_tests(tokens_of(file.read_text(encoding="utf-8")))
        test_modules |= {(*module, name) for name in names}
    for module in [path for path in crate.files if any(path[: len(test)] == test for test in test_modules)]:
        del crate.files[module]
    for module in crate.files:
        Reader(crate, module, sources[module]).read()
    return crate


def upward_imports(crate: Crate) -> list[str]:
    rank = {name: number for number, names in enumerate(crate.layers) for name in names}
    present = {path[0] if path else "lib" for path in crate.files}
    faults = [f"{crate.root}: the module {name} has no layer" for name in sorted(present - rank.keys())]
    faults += [f"{crate.root}: there is no module {name}, but it has a layer" for name in sorted(rank.keys() - present)]
    for found in crate.imports:
        upper, lower = (path[0] if path else "lib" for path in (found.imported, found.importer))
        if upper in rank and lower in rank and rank[upper] < rank[lower]:
            faults.append(f"{found}: {lower} imports {'::'.join(found.imported) or 'lib'}, which is in a higher layer")
    return faults


def circles(crate: Crate) -> list[str]:
    faults = []
    folders = {path[:length] for path in crate.files for length in range(len(path))}
    for folder in sorted(folders):
        top = "mod" if folder else "lib"
        edges: dict[str, dict[str, Import]] = {}
        for found in crate.imports:
            if found.importer[: len(folder)] == folder and found.imported[: len(folder)] == folder:
                importer, imported = (
                    path[len(folder)] if len(path) > len(folder) else top for path in (found.importer, found.imported)
                )
                if importer != imported:
                    edges.setdefault(importer, {}).setdefault(imported, found)
        for circle in shortest_circles(edges):
            places = [str(edges[a][b]) for a, b in zip(circle, circle[1:])]
            where = crate.root.joinpath(*folder)
            faults.append(f"{where}: circle {' > '.join(circle)} ({', '.join(places)})")
    return faults


def shortest_circles(edges: dict[str, dict[str, Import]]) -> list[list[str]]:
    """A shortest circle through each module, without those that are the same circle from another start."""
    found: dict[frozenset[str], list[str]] = {}
    for start in sorted(edges):
        paths = [[start]]
        seen = set()
        while paths:
            path = paths.pop(0)
            if path[-1] == start and len(path) > 1:
                found.setdefault(frozenset(path), path)
                break
            for following in sorted(edges.get(path[-1], {})):
                if following not in seen:
                    seen.add(following)
                    paths.append([*path, following])
    return list(found.values())


def faults_of(root: Path, layers: list[list[str]]) -> list[str]:
    crate = read_crate(root, layers)
    # One line may name several items of one module.
    return list(dict.fromkeys(upward_imports(crate) + circles(crate)))


# Each case: files, layers, and a part of each message that must come, in order; no message means that all is well.
SELF_TESTS: list[tuple[str, dict[str, str], list[list[str]], list[str]]] = [
    (
        "imports downwards, in comments, in literals and in test code are no faults",
        {
            "lib.rs": "mod a; mod b;\npub use self::a::A;",
            "a.rs": "use crate::b::{self, B};\n#[cfg(test)]\nuse crate::a::A;",
            "b/mod.rs": '//! See [`A`](crate::a::A).\nmod c;\n#[cfg(test)] mod helper;\npub use self::c::B; const T: &str = "crate::a::A";',
            "b/c.rs": "/* crate::a /* crate::a::A */ crate::a::A */ fn f<'a>(x: &'a u8) -> char { 'c' }\n"
            "#[cfg(all(test, loom))] mod tests { use crate::a::A; }\npub(in crate::b) struct B;",
            "b/tests.rs": "use crate::a::A;",
            "b/helper.rs": "use crate::a::A;",
        },
        [["lib"], ["a"], ["b"]],
        [],
    ),
    (
        "a use declaration upwards",
        {"lib.rs": "mod a; mod b;", "a.rs": "", "b.rs": "use std::fmt;\nuse crate::{\n    a::A,\n};"},
        [["lib"], ["a"], ["b"]],
        ["b.rs:3: b imports a, which is in a higher layer"],
    ),
    (
        "a path in code upwards",
        {"lib.rs": "mod a; mod b;", "a.rs": "", "b/mod.rs": "mod c;", "b/c.rs": "\nfn f() { super::super::a::go() }"},
        [["lib"], ["a"], ["b"]],
        ["c.rs:2: b imports a, which is in a higher layer"],
    ),
    (
        "what lib.rs re-exports",
        {"lib.rs": "mod a;\npub use self::a::A;", "a.rs": "fn f(x: crate::A) {}"},
        [["lib"], ["a"]],
        ["a.rs:1: a imports lib, which is in a higher layer", "circle a > lib > a"],
    ),
    (
        "a circle between modules of one layer",
        {"lib.rs": "", "a.rs": "use crate::b::B;", "b.rs": "fn f() { crate::c::go() }", "c.rs": "use super::a::A;"},
        [["lib"], ["a", "b", "c"]],
        ["circle a > b > c > a"],
    ),
    (
        "a circle between siblings",
        {"lib.rs": "", "a/mod.rs": "", "a/x.rs": "use super::y::Y;", "a/y.rs": "use crate::a::x::X;"},
        [["lib"], ["a"]],
        ["circle x > y > x"],
    ),
    (
        "a circle between mod.rs and its child",
        {"lib.rs": "", "a/mod.rs": "mod x;\nfn f() { x::go() }\nstruct S;", "a/x.rs": "use super::S;"},
        [["lib"], ["a"]],
        ["circle mod > x > mod"],
    ),
    (
        "super in an inline module is the file",
        {"lib.rs": "", "a/mod.rs": "", "a/x.rs": "mod y { use super::Z; use super::super::w::W; }", "a/w.rs": ""},
        [["lib"], ["a"]],
        [],
    ),
    (
        "a module without a layer, and a layer without a module",
        {"lib.rs": "", "a.rs": ""},
        [["lib"], ["b"]],
        ["the module a has no layer", "there is no module b"],
    ),
]


def self_test() -> list[str]:
    failures = []
    for name, files, layers, expected in SELF_TESTS:
        with tempfile.TemporaryDirectory() as folder:
            for file, text in files.items():
                path = Path(folder, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            found = faults_of(Path(folder), layers)
        if len(found) != len(expected) or not all(part in fault for part, fault in zip(expected, found)):
            failures.append(f"self-test {name!r}: expected {expected}, found {found}")
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks that modules import downwards only, and in no circle.")
    parser.add_argument("--self-test", action="store_true", help="first show that the check finds what it must find")
    parser.add_argument("folders", nargs="*", choices=sorted(LAYERS))
    arguments = parser.parse_args()
    faults = self_test() if arguments.self_test else []
    for folder in arguments.folders:
        faults += faults_of(Path(folder), LAYERS[folder])
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
