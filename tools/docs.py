#!/usr/bin/env python3
"""Builds the documentation as one static site, which needs no network: the Markdown pages, the source files that they link
to, and the references of C and C++ (Doxygen), Python (pdoc), Go (godoc.go) and Rust (rustdoc). A dead link within the site
is an error.

usage: docs.py --output DIRECTORY --rustdoc DIRECTORY [--cargo CARGO] [--go GO]

The virtual environment of tools/requirements.txt runs it. The paths of the site are those of the repository, with `.html`
instead of `.md`.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from pages import slug

ROOT = Path(__file__).resolve().parent.parent

# Title and page, from the top of the site. The references are built by their own tools.
NAVIGATION = [
    ("Start", "index.html"),
    ("Guide", "docs/GUIDE.html"),
    ("Delivery", "docs/DELIVERY.html"),
    ("Settings", "docs/CONFIGURATION.html"),
    ("Metrics", "docs/METRICS.html"),
    ("ABI", "docs/ABI.html"),
    ("Vendors", "docs/VENDORS.html"),
    ("Emulator", "emulator/README.html"),
]
REFERENCES = [
    ("C and C++", "c/index.html"),
    ("Python", "python/rtcmsg.html"),
    ("Go", "go/rtcmsg.html"),
    ("Rust", "rust/rtcmsg/index.html"),
]
# Further pages than those that others link to.
PAGES = ["README.md", "README.zh-CN.md", "CHANGELOG.md", *(page.replace(".html", ".md") for _, page in NAVIGATION[1:])]
GO_PACKAGES = {"rtcmsg": "bindings/go", "rtcmsgtest": "bindings/go/rtcmsgtest"}
GO_MODULE = "github.com/rtcmsg/rtcmsg"

STYLE = """
body { margin: 0; font: 16px/1.55 system-ui, sans-serif; color: #1f2328; background: #fff; }
nav.site { display: flex; flex-wrap: wrap; gap: 4px 16px; padding: 10px 24px; background: #f6f8fa;
  border-bottom: 1px solid #d1d9e0; font-size: 15px; }
nav.site b { margin-right: 8px; }
main { max-width: 1000px; margin: 0 auto; padding: 8px 24px 64px; }
a { color: #0969da; text-decoration: none; }
a:hover { text-decoration: underline; }
pre, code { font-family: ui-monospace, monospace; font-size: 13.5px; background: #f6f8fa; border-radius: 4px; }
code { padding: 1px 4px; }
pre { padding: 12px; overflow-x: auto; }
pre code { padding: 0; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 15px; }
th, td { border: 1px solid #d1d9e0; padding: 4px 10px; vertical-align: top; text-align: left; }
img { max-width: 100%; }
h1, h2, h3 { line-height: 1.25; margin-top: 1.4em; }
"""


class Site:
    """The pages that are made from files of the repository."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.markdown = MarkdownIt("commonmark", {"html": True, "highlight": highlighted}).enable("table")
        self.markdown.use(anchors_plugin, max_level=6, slug_func=slug)
        self.waiting: list[str] = []
        self.done: set[str] = set()

    def build(self, names: Iterable[str]) -> None:
        """These files, and all that they link to."""
        self.waiting += names
        while self.waiting:
            name = self.waiting.pop()
            if name not in self.done:
                self.done.add(name)
                self.add(name)

    def add(self, name: str) -> None:
        source = ROOT / name
        if source.is_dir():
            entries = sorted(child.name for child in source.iterdir() if is_public(child))
            rows = "".join(f"- [{entry}]({entry})\n" for entry in entries)
            self.page(f"{name}/index.html", f"# {name}\n\n{rows}", name)
        elif source.suffix == ".md":
            self.page(page_of(name), source.read_text(encoding="utf-8"), str(Path(name).parent))
        elif source.suffix in (".svg", ".png"):
            self.target(name).write_bytes(source.read_bytes())
        else:
            text = source.read_text(encoding="utf-8")
            try:
                lexer = get_lexer_for_filename(source.name)
            except ClassNotFound:
                lexer = TextLexer()
            body = f"<h1>{html.escape(name)}</h1>\n{highlight(text, lexer, HtmlFormatter())}"
            self.write(page_of(name), name, body)

    def page(self, where: str, text: str, folder: str, title: str | None = None) -> None:
        tokens = self.markdown.parse(text)
        for token in all_tokens(tokens):
            for attribute in ("href", "src"):
                link = token.attrGet(attribute)
                if isinstance(link, str):
                    token.attrSet(attribute, self.link(link, where, folder))
        headings = [after.content for token, after in zip(tokens, tokens[1:]) if token.type == "heading_open"]
        body = self.markdown.renderer.render(tokens, self.markdown.options, {})
        self.write(where, title or (headings[0] if headings else where), body)

    def link(self, link: str, where: str, folder: str) -> str:
        """From one file of the repository to another, as a link from page to page."""
        parts = urlsplit(link)
        if parts.scheme or not parts.path:
            return link
        name = os.path.normpath(os.path.join(folder, unquote(parts.path)))
        if (ROOT / name / "README.md").is_file() and name != ".":
            name = f"{name}/README.md"
        if not (ROOT / name).exists():
            return link
        self.waiting.append(name)
        target = f"{name}/index.html" if (ROOT / name).is_dir() else page_of(name)
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        return os.path.relpath(target, Path(where).parent) + fragment

    def write(self, where: str, title: str, body: str) -> None:
        up = "../" * where.count("/")
        self.target(where).write_text(
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)} - rtcmsg</title>\n'
            f'<meta name="viewport" content="width=device-width">\n<link rel="stylesheet" href="{up}style.css">\n</head>\n'
            f'<body>\n<nav class="site"><b>rtcmsg</b>{links(up)}</nav>\n<main>\n{body}</main>\n</body>\n</html>\n',
            encoding="utf-8",
        )

    def target(self, name: str) -> Path:
        path = self.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def is_public(path: Path) -> bool:
    return not path.name.startswith((".", "__")) and path.suffix not in (".sum", ".pyc")


def page_of(name: str) -> str:
    if name.endswith(".md"):
        return f"{name[:-3]}.html"
    return name if name.endswith((".svg", ".png")) else f"{name}.html"


def links(up: str) -> str:
    return "\n".join(f'<a href="{up}{page}">{title}</a>' for title, page in [*NAVIGATION, *REFERENCES])


def all_tokens(tokens: list[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from all_tokens(token.children or [])


def highlighted(code: str, language: str, _: str) -> str:
    try:
        lexer = get_lexer_by_name(language)
    except ClassNotFound:
        return ""
    marked: str = highlight(code, lexer, HtmlFormatter(nowrap=True))
    return marked


INDEX = """# rtcmsg

rtcmsg sends messages from a server to users of Volcengine RTC, Volcengine IM and ZEGO: from C, C++, Python, Go and Rust.
[README](README.md) ([简体中文](README.zh-CN.md)) shows what can be sent, and an example in each language.

| page | content |
|---|---|
| [Guide](docs/GUIDE.md) | concepts, threads, errors and retries, shutdown, event loops, tests, tuning |
| [Delivery](docs/DELIVERY.md) | what can happen to a message, what the report says then, what to do |
| [Settings](docs/CONFIGURATION.md) | every setting |
| [Metrics](docs/METRICS.md) | the statistics of a client |
| [ABI](docs/ABI.md) | versions, struct layouts, platforms, threads, signals, fork |
| [Vendors](docs/VENDORS.md) | the vendors' services: signatures, limits, codes and quotas |
| [Emulator](emulator/README.md) | the emulator of both vendors, for tests |
| [Changelog](CHANGELOG.md) | changes |

| language | reference | start |
|---|---|---|
| C, C++ | [Doxygen](c/index.html) | [examples](examples/c), [examples](examples/cpp) |
| Python | [pdoc](python/rtcmsg.html) | [rtcmsg for Python](bindings/python/README.md) |
| Go | [package rtcmsg](go/rtcmsg.html), [package rtcmsgtest](go/rtcmsgtest.html) | [rtcmsg for Go](bindings/go/README.md) |
| Rust | [rustdoc](rust/rtcmsg/index.html), [the emulator](rust/rtcmsg_emulator/index.html) | |
"""


def build_references(site: Site, options: argparse.Namespace) -> None:
    output = site.output
    settings = (ROOT / "docs/Doxyfile").read_text(encoding="utf-8")
    # `make check-doxygen` fails on a warning; here the pages are made in any case.
    settings += f'\nOUTPUT_DIRECTORY = "{output}"\nHTML_OUTPUT = c\nWARN_AS_ERROR = NO\nWARNINGS = NO\n'
    run("doxygen", "-", text=settings)
    python = {"PYTHONPATH": str(ROOT / "bindings/python/src")}
    modules = ["rtcmsg", "rtcmsg.emulator", "rtcmsg.pytest_plugin"]
    run(sys.executable, "-m", "pdoc", "--output-directory", str(output / "python"), *modules, environment=python)
    for package, folder in GO_PACKAGES.items():
        program = str(ROOT / "tools/godoc.go")
        text = run(options.go, "run", program, f"{GO_MODULE}/{folder}", folder, environment={"GO111MODULE": "off"})
        site.page(f"go/{package}.html", text, folder, f"Go package {package}")
    # Without pages of private items that another build has left.
    shutil.rmtree(options.rustdoc, ignore_errors=True)
    run(options.cargo, "doc", "--quiet", "--no-deps", "--workspace", "--lib")
    shutil.copytree(options.rustdoc, output / "rust")
    crates = "- [rtcmsg](rtcmsg/index.html)\n- [rtcmsg_emulator](rtcmsg_emulator/index.html)\n"
    site.page("rust/index.html", f"# Rust\n\n{crates}", "rust")
    for folder in ("c", "python", "rust"):
        for page in (output / folder).rglob("*.html"):
            add_links(page, output)


def add_links(page: Path, output: Path) -> None:
    """Links to the other parts of the site, in a corner, where they do not disturb a foreign layout."""
    up = "../" * (len(page.relative_to(output).parts) - 1)
    shown = f'<a href="{up}index.html">rtcmsg</a> ' + " ".join(
        f'<a href="{up}{target}">{title}</a>' for title, target in [NAVIGATION[1], *REFERENCES]
    )
    style = "position:fixed;right:0;bottom:0;z-index:99;padding:4px 10px;background:#f6f8fa;border:1px solid #d1d9e0;font:13px sans-serif"
    text = page.read_text(encoding="utf-8")
    changed = re.sub(r"(<body[^>]*>)", rf'\1<div style="{style}">{shown}</div>', text, count=1)
    page.write_text(changed, encoding="utf-8")


def run(*command: str, text: str | None = None, environment: dict[str, str] | None = None) -> str:
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}\n{result.stdout}{result.stderr}exit code {result.returncode}")
    return result.stdout


class Links(HTMLParser):
    """The anchors and the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif name in ("href", "src") and value:
                self.links.add(value)


def dead_links(output: Path) -> list[str]:
    pages = {}
    for path in output.rglob("*.html"):
        pages[path] = Links()
        pages[path].feed(path.read_text(encoding="utf-8"))
    dead = []
    for path, page in sorted(pages.items()):
        part = path.relative_to(output).parts[0]
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            if target.is_dir():
                target /= "index.html"
            # rustdoc also percent-encodes the anchor itself.
            anchor = unquote(parts.fragment)
            known = pages[target].anchors if target in pages else {anchor, ""}
            is_there = target.is_file() and output in target.parents
            # rustdoc makes the anchors of lines when a page is shown; Doxygen links to lists of private classes.
            is_made = re.fullmatch({"rust": r"\d+(-\d+)?", "c": "nested-classes"}.get(part, ""), anchor) is not None
            if not is_there:
                dead.append(f"{path.relative_to(output)}: {link}")
            elif anchor and not is_made and not known & {anchor, parts.fragment}:
                dead.append(f"{path.relative_to(output)}: {link}: no such anchor")
    print(f"{len(pages)} pages, {sum(len(page.links) for page in pages.values())} links, {len(dead)} dead")
    return dead


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rustdoc", type=Path, required=True, help="where cargo doc writes")
    parser.add_argument("--cargo", default="cargo")
    parser.add_argument("--go", default="go")
    options = parser.parse_args()
    output = options.output.resolve()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    site = Site(output)
    (output / "style.css").write_text(STYLE + HtmlFormatter().get_style_defs("pre"), encoding="utf-8")
    build_references(site, options)
    site.page("index.html", INDEX, ".", "Documentation")
    site.build(PAGES)
    dead = dead_links(output)
    for link in dead:
        print(link, file=sys.stderr)
    print(f"{output}/index.html")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
