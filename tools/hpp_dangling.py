#!/usr/bin/env python3
"""Checks the borrowed types of rtcmsg.hpp with a compiler that knows lifetimes (clang): it must warn where a value outlives
what it borrows from, and must not warn elsewhere.

usage: hpp_dangling.py COMPILER
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

INCLUDE = Path(__file__).resolve().parent.parent / "include"

FRAME = """
#include <array>
#include <rtcmsg.hpp>
#include <string>
#include <string_view>
#include <vector>
using namespace rtcmsg;
using std::string;
string made();
std::vector<Text> made_list();
struct View {
  View(const std::uint8_t *data, std::size_t size);
  const std::uint8_t *data() const;
  std::size_t size() const;
};
"""

DANGLING = [
    'void f() { auto m = Message::send_custom_command_to_users("r", "s", {"alice", "bob"}, "x"); (void)m; }',
    'void f() { auto m = Message::batch_send_room_unicast("r", "s", {"alice"}, "x"); (void)m; }',
    'void f() { auto m = Message::batch_send_room_unicast("r", "s", made_list(), "x"); (void)m; }',
    'void f() { auto m = Message::p2p_send_message_to_users(1, 2, 3, {4, 5}, "x"); (void)m; }',
    'void f() { auto m = Message::p2p_send_message_to_all_except(1, 2, 3, {4, 5}, "x"); (void)m; }',
    "void f() { auto m = Message::p2p_send_message_to_all(1, 2, 3, made()); (void)m; }",
    'void f() { auto m = Message::send_unicast("s", made(), "x"); (void)m; }',
    'void f() { auto m = Message::send_unicast("s", "alice", made()); (void)m; }',
    'void f() { auto m = Message::send_room_unicast(made(), "s", "alice", "x"); (void)m; }',
    'void f() { auto m = Message::send_broadcast("r", made(), "x"); (void)m; }',
    'void f() { auto m = Message::send_custom_command_to_room("r", "s", made()); (void)m; }',
    "void f() { Text text = made(); (void)text; }",
    "void f() { NulTerminatedText text = made(); (void)text; }",
    "void f() { Payload payload = made(); (void)payload; }",
    "void f() { auto payload = Payload::binary(std::vector<char>(3)); (void)payload; }",
    "void f() { auto payload = Payload::binary(made()); (void)payload; }",
    'void f() { Users users = {"alice", "bob"}; (void)users; }',
    "void f() { Users users = made_list(); (void)users; }",
    'Message f() { string text = "x"; return Message::send_unicast("s", "alice", text); }',
    'Message f() { std::array<Text, 1> to{"x"}; return Message::batch_send_room_unicast("r", "s", to, "x"); }',
    "Payload f() { char bytes[3] = {}; return Payload::binary(bytes, 3); }",
]

RIGHT = [
    'void f(Client &c) { c.check(Message::send_custom_command_to_users("r", "s", {made(), "bob"}, made())); }',
    "void f(Client &c) { c.submit(Message::send_broadcast(made(), made(), made()), [](const Completion &) {}); }",
    "void f(Client &c) { c.check(Message::p2p_send_message_to_users(1, 2, 3, {4, 5}, made())); }",
    'void f() { string text = "x"; auto m = Message::send_unicast("s", text, text); (void)m; }',
    'void f() { std::vector<Text> to{"a"}; auto m = Message::batch_send_room_unicast("r", "s", to, "x"); (void)m; }',
    'Message f(const string &text) { return Message::send_unicast("s", text, text); }',
    'Message f(const char *text) { return Message::send_unicast("s", text, text); }',
    'Message f(std::string_view text) { return Message::send_unicast("s", text, text); }',
    'Message f(Text text) { return Message::send_unicast("s", text, text); }',
    'Message f(Payload payload) { return Message::send_unicast("s", "alice", payload); }',
    'Message f(Users users) { return Message::send_custom_command_to_users("r", "s", users, "x"); }',
    'Message f(const std::vector<Text> &users) { return Message::batch_send_room_unicast("r", "s", users, "x"); }',
    "Payload f(View bytes) { return Payload::binary(bytes); }",
    "Payload f(std::string_view bytes) { return Payload::binary(bytes); }",
    "Payload f(const void *data, std::size_t size) { return Payload::binary(data, size); }",
]


def said(compiler: str, code: str) -> str:
    command = [compiler, "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", f"-I{INCLUDE}", "-x", "c++", "-"]
    return subprocess.run(command, input=FRAME + code, capture_output=True, text=True, check=True).stderr


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    compiler = sys.argv[1]
    wrong = [f"no warning: {code}" for code in DANGLING if "warning:" not in said(compiler, code)]
    wrong += [f"{code}\n{warning}" for code in RIGHT if (warning := said(compiler, code))]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    print(f"dangling: {len(DANGLING)} are warned of, {len(RIGHT)} are not")
    return 0


if __name__ == "__main__":
    sys.exit(main())
