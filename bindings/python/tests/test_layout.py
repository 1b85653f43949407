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
    "rtcmsg_call": _abi.Call,
    "rtcmsg_completion": _abi.Completion,
    "rtcmsg_attempt": _abi.Attempt,
    "rtcmsg_request": _abi.Request,
    "rtcmsg_recipient": _abi.Recipient,
    "rtcmsg_device": _abi.Device,
}


def documented(house: Path) -> dict[str, tuple[int, list[tuple[str, int, int]]]]:
    """Of docs/ABI.md: struct, its size, its fields with offset and size."""
    structs: dict[str, tuple[int, list[tuple[str, int, int]]]] = {}
    fields: list[tuple[str, int, int]] = []
    for line in (house / "docs" / "ABI.md").read_text(encoding="utf-8").splitlines():
        struct = re.fullmatch(r"\| \*\*(\w+)\*\* \| \| \| \*\*(\d+)\*\* \|", line)
        field = re.fullmatch(r"\| \| (\w+) \| (\d+) \| (\d+) \|", line)
        if struct:
            fields = []
            structs[struct[1]] = int(struct[2]), fields
        elif field:
            fields.append((field[1], int(field[2]), int(field[3])))
    return structs


@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_has_the_size_and_offsets_of_the_page(house: Path, name: str) -> None:
    size, fields = documented(house)[name]
    struct = STRUCTS[name]
    assert ctypes.sizeof(struct) == size
    found = [(field[0], getattr(struct, field[0]).offset, getattr(struct, field[0]).size) for field in struct._fields_]
    assert found == fields


def test_the_page_has_no_struct_that_is_missing_here(house: Path) -> None:
    assert set(documented(house)) == set(STRUCTS)


def header_constants(house: Path) -> dict[str, int]:
    header = (house / "include" / "rtcmsg.h").read_text(encoding="utf-8")
    found = re.findall(r"^#define RTCMSG_(\w+) (-?\w+?)u?$", header, re.MULTILINE)
    return {name: int(value, 0) for name, value in found}


def test_every_code_and_delivery_of_the_header_has_its_number_here(house: Path) -> None:
    constants = header_constants(house)
    codes = {name: value for name, value in constants.items() if value < 0 or name == "OK"}
    assert {code.name: code.value for code in rtcmsg.Code} == codes
    for member in [*rtcmsg.Delivery, *rtcmsg.Vendor]:
        assert constants[member.name] == member.value


def test_every_action_and_flag_of_the_header_has_its_number_here(house: Path) -> None:
    constants = header_constants(house)
    for name, value in constants.items():
        if re.match(r"(VOLCENGINE|ZEGO)_\w+", name):
            assert getattr(_abi, re.sub(r"^(VOLCENGINE|ZEGO)_", "", name)) == value
    for name in ("BINARY", "UNORDERED", "NO_COMPLETION"):
        assert getattr(_abi, name) == constants[name]
    assert constants["VERSION"] == _abi.HEADER_VERSION


def test_every_function_of_the_library_is_declared_but_those_of_no_use_here(house: Path) -> None:
    exported = set((house / "tests" / "symbols.txt").read_text(encoding="utf-8").split())
    # Python has names in its enums, and takes no callback from a foreign thread.
    assert exported - set(_abi.FUNCTIONS) == {
        "rtcmsg_code_name",
        "rtcmsg_delivery_name",
        "rtcmsg_config_set_log",
    }
    assert set(_abi.FUNCTIONS) <= exported


def test_a_number_of_a_newer_library_is_still_a_code() -> None:
    code = rtcmsg.Code(-1234)
    assert (code, code.name) == (-1234, "NUMBER_MINUS_1234")
    assert rtcmsg.Delivery(77).name == "NUMBER_77"


def test_keywords_are_the_settings_of_the_page(house: Path) -> None:
    page = (house / "docs" / "CONFIGURATION.md").read_text(encoding="utf-8")
    keys = re.findall(r"^\| `([a-z0-9_.]+)` \|", page, re.MULTILINE)
    assert [key.replace(".", "_") for key in keys] == list(rtcmsg.Settings.__annotations__)
