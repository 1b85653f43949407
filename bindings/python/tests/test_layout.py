"""What this package says of the binary interface is what the library's own pages say."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

import pytest

import rtcmsg
from rtcmsg import _abi

STRUCTS: dict[str, Any] = {
    "rtcmsg_str": _abi.Str,
    "rtcmsg_error": _abi.Error,
    "rtcmsg_message": _abi.Message,
    "rtcmsg_send_options": _abi.SendOptions,
    "rtcmsg_completion": _abi.Completion,
    "rtcmsg_attempt": _abi.Attempt,
    "rtcmsg_request": _abi.Request,
    "rtcmsg_recipient": _abi.Recipient,
    "rtcmsg_device": _abi.Device,
}


def documented(root: Path) -> dict[str, tuple[int, list[tuple[str, int, int]]]]:
    """Of docs/ABI.md: struct, its size, its fields with offset and size."""
    structs: dict[str, tuple[int, list[tuple[str, int, int]]]] = {}
    fields: list[tuple[str, int, int]] = []
    for line in (root / "docs" / "ABI.md").read_text(encoding="utf-8").splitlines():
        struct = re.fullmatch(r"\| \*\*(\w+)\*\* \| \| \| \*\*(\d+)\*\* \|", line)
        field = re.fullmatch(r"\| \| (\w+) \| (\d+) \| (\d+) \|", line)
        if struct:
            fields = []
            structs[struct[1]] = int(struct[2]), fields
        elif field:
            fields.append((field[1], int(field[2]), int(field[3])))
    return structs


@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_has_the_size_and_offsets_of_the_page(root: Path, name: str) -> None:
    size, fields = documented(root)[name]
    struct = STRUCTS[name]
    assert ctypes.sizeof(struct) == size
    found = [(field[0], getattr(struct, field[0]).offset, getattr(struct, field[0]).size) for field in struct._fields_]
    assert found == fields


def test_the_page_has_no_struct_that_is_missing_here(root: Path) -> None:
    assert set(documented(root)) == set(STRUCTS)


def header_constants(root: Path) -> dict[str, int]:
    """The values of the header's enums, without RTCMSG_."""
    header = (root / "include" / "rtcmsg.h").read_text(encoding="utf-8")
    constants = {}
    for name, value, shift in re.findall(r"^  RTCMSG_(\w+) = \(?(-?\d+)(?: << (\d+)\))?,$", header, re.MULTILINE):
        constants[name] = int(value) << int(shift or 0)
    return constants


def test_every_code_and_delivery_of_the_header_has_its_number_here(root: Path) -> None:
    constants = header_constants(root)
    codes = {name: value for name, value in constants.items() if name == "OK" or name.startswith("ERR_")}
    assert {"OK" if code == 0 else f"ERR_{code.name}": code.value for code in rtcmsg.Code} == codes
    for prefix, members in (("DELIVERY_", rtcmsg.Delivery), ("VENDOR_", rtcmsg.Vendor)):
        values = {name: value for name, value in constants.items() if name.startswith(prefix)}
        assert {prefix + member.name: member.value for member in members} == values


def test_every_action_and_flag_of_the_header_has_its_number_here(root: Path) -> None:
    constants = header_constants(root)
    actions = {name: value for name, value in constants.items() if name.startswith("ACTION_")}
    assert len(actions) == 9
    for name, value in actions.items():
        assert getattr(_abi, re.sub(r"^ACTION_(VOLCENGINE|ZEGO)_", "", name)) == value
    flags = {name: value for name, value in constants.items() if re.match(r"(MESSAGE|SUBMIT)_", name)}
    assert len(flags) == 3
    for name, value in flags.items():
        assert getattr(_abi, name) == value


def test_the_versions_are_those_of_the_header(root: Path) -> None:
    header = (root / "include" / "rtcmsg.h").read_text(encoding="utf-8")
    parts = [
        int(re.findall(rf"^#define RTCMSG_VERSION_{part} (\d+)$", header, re.MULTILINE)[0])
        for part in ("MAJOR", "MINOR", "PATCH")
    ]
    assert parts[0] << 16 | parts[1] << 8 | parts[2] == _abi.HEADER_VERSION
    assert rtcmsg.library_version() == ".".join(map(str, parts))


def test_every_function_of_the_library_is_declared_but_those_of_no_use_here(root: Path) -> None:
    exported = set((root / "tests" / "symbols.txt").read_text(encoding="utf-8").split())
    # Python has names in its enums, and takes no callback from a foreign thread.
    assert exported - set(_abi.FUNCTIONS) == {
        "rtcmsg_code_name",
        "rtcmsg_code_text",
        "rtcmsg_delivery_name",
        "rtcmsg_config_set_log",
        "rtcmsg_report_count_by_delivery",
        "rtcmsg_version_string",
    }
    assert set(_abi.FUNCTIONS) <= exported


def test_a_number_of_a_newer_library_is_still_a_code() -> None:
    code = rtcmsg.Code(-1234)
    assert (code, code.name) == (-1234, "NUMBER_MINUS_1234")
    assert rtcmsg.Delivery(77).name == "NUMBER_77"


def test_keywords_are_the_settings_of_the_page(root: Path) -> None:
    page = (root / "docs" / "CONFIGURATION.md").read_text(encoding="utf-8")
    keys = re.findall(r"^\| `([a-z0-9_.]+)` \|", page, re.MULTILINE)
    assert [key.replace(".", "_") for key in keys] == list(rtcmsg.Settings.__annotations__)
