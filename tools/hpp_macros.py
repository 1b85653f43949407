"""Protects rtcmsg.hpp from macros of the program that includes it. `write` makes the two headers that save and undefine such
macros and restore them; `check` compiles rtcmsg.hpp after such macros.

usage: hpp_macros.py write
       hpp_macros.py check COMPILER...
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include"
TESTS = ROOT / "tests"
PUSH = INCLUDE / "rtcmsg_macros_push.h"
POP = INCLUDE / "rtcmsg_macros_pop.h"

# Names that the standard headers use or undefine, and that hosts are known to define: windows.h, Qt, X11, Unreal,
# allocators that replace malloc, shims for sockets and files.
OTHERS = """
    access calloc dup emit far foreach free interface link lseek malloc min near pipe read realloc select signals sleep
    slots small unlink verify write
"""

KEYWORDS = """
    alignas alignof and asm auto bool break case catch char class const constexpr const_cast continue decltype default
    delete do double else enum explicit extern false final float for friend goto if inline int long mutable namespace new
    noexcept not nullptr operator or override private protected public register reinterpret_cast return short signed
    sizeof static static_assert static_cast struct switch template this throw true try typedef typename union unsigned
    using virtual void volatile while
"""

HEAD = "/* {what} Written by `make header` from the names in rtcmsg.h and rtcmsg.hpp; for rtcmsg.hpp only. */\n"


def main() -> int:
    command, compilers = sys.argv[1:2], sys.argv[2:]
    if command == ["write"] and not compilers:
        PUSH.write_text(push_text(), encoding="utf-8")
        POP.write_text(pop_text(), encoding="utf-8")
        return 0
    if command == ["check"] and compilers:
        return check(compilers)
    print(__doc__, file=sys.stderr)
    return 2


def names() -> list[str]:
    """Every name of the headers without an underscore: one with an underscore is hardly anybody's macro."""
    text = "\n".join((INCLUDE / file).read_text(encoding="utf-8") for file in ("rtcmsg.h", "rtcmsg.hpp"))
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#.*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r'"(\\.|[^"\\\n])*"' + r"|'(\\.|[^'\\\n])*'", " ", text)
    found = set(re.findall(r"\b[A-Za-z][A-Za-z0-9]*\b", text)) - set(KEYWORDS.split())
    return sorted({name for name in found if not name.startswith(("rtcmsg", "RTCMSG"))} | set(OTHERS.split()))


def push_text() -> str:
    lines = (f'#pragma push_macro("{name}")\n#undef {name}\n' for name in names())
    return HEAD.format(what="Sets the host's macros aside.") + "".join(lines)


def pop_text() -> str:
    lines = (f'#pragma pop_macro("{name}")\n' for name in names())
    return HEAD.format(what="Brings the host's macros back.") + "".join(lines)


def check(compilers: list[str]) -> int:
    for file, text in ((PUSH, push_text()), (POP, pop_text())):
        if file.read_text(encoding="utf-8") != text:
            print(f"{file.name} is not that of the headers: make header", file=sys.stderr)
            return 1
    real = (TESTS / "cpp/engine_macros.cpp").read_text(encoding="utf-8")
    programs = [("macros like objects", as_objects()), ("macros like functions", as_functions()), ("real macros", real)]
    # The header of C by itself.
    real_c = (TESTS / "c/engine_macros.c").read_text(encoding="utf-8")
    cases = [(standard, *program) for standard in ("17", "20") for program in programs]
    cases += [(standard, "real macros, rtcmsg.h", real_c) for standard in ("11", "20")]
    wrong = 0
    for compiler in compilers:
        for standard, what, program in cases:
            said = errors(compiler, standard, program)
            if said:
                print(f"{compiler}, C++{standard}, {what}:\n{said}", file=sys.stderr)
                wrong += 1
    print(f"macros: {len(names())} names are set aside and come back")
    return 1 if wrong else 0


PROLOGUE = """
constexpr bool test_is(const char *test_a, const char *test_b) {
  for (; *test_a != '\\0' && *test_a == *test_b; ++test_a) ++test_b;
  return *test_a == *test_b;
}
#define TEST_QUOTED(...) #__VA_ARGS__
#define TEST_TEXT(...) TEST_QUOTED(__VA_ARGS__)
"""


def as_objects() -> str:
    """Each macro expands to text that is not C++: the header does not compile if one of them is expanded in it."""
    defined = "".join(f"#define {name} 0bad_{name}\n" for name in names())
    kept = "".join(f'static_assert(test_is(TEST_TEXT({name}), "0bad_{name}"), "");\n' for name in names())
    return f"{PROLOGUE}{defined}#include <rtcmsg.hpp>\n{kept}"


def as_functions() -> str:
    """The same with arguments: seven, since no function of the header takes as many."""
    defined = "".join(f"#define {name}(a1, a2, a3, a4, a5, a6, a7) 0bad_{name}\n" for name in names())
    kept = "".join(
        f'static_assert(test_is(TEST_TEXT({name}(1, 2, 3, 4, 5, 6, 7)), "0bad_{name}"), "");\n' for name in names()
    )
    return f"{PROLOGUE}{defined}#include <rtcmsg.hpp>\n{kept}"


def errors(compiler: str, standard: str, program: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".cpp", encoding="utf-8") as source:
        source.write(program)
        source.flush()
        flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", f"-std=c++{standard}"]
        paths = [f"-I{INCLUDE}", f"-I{TESTS / 'c'}"]
        result = subprocess.run([compiler, *flags, *paths, source.name], check=False, capture_output=True, text=True)
    return "\n".join(result.stderr.splitlines()[:20]) if result.returncode != 0 else ""


if __name__ == "__main__":
    sys.exit(main())
