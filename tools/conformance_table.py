"""Writes tests/conformance.json as a header of constant tables, which the C and the C++ test include.

usage: conformance_table.py CONFORMANCE_JSON HEADER
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

ACTIONS = {
    "SendUnicast": "RTCMSG_ACTION_VOLCENGINE_SEND_UNICAST",
    "SendRoomUnicast": "RTCMSG_ACTION_VOLCENGINE_SEND_ROOM_UNICAST",
    "BatchSendRoomUnicast": "RTCMSG_ACTION_VOLCENGINE_BATCH_SEND_ROOM_UNICAST",
    "SendBroadcast": "RTCMSG_ACTION_VOLCENGINE_SEND_BROADCAST",
    "P2PSendMessageToUsers": "RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_USERS",
    "P2PSendMessageToAll": "RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL",
    "P2PSendMessageToAllExcept": "RTCMSG_ACTION_VOLCENGINE_P2P_SEND_MESSAGE_TO_ALL_EXCEPT",
    "SendCustomCommandToUsers": "RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_USERS",
    "SendCustomCommandToRoom": "RTCMSG_ACTION_ZEGO_SEND_CUSTOM_COMMAND_TO_ROOM",
}
CASE_MEMBERS = {"name", "settings", "faults", "message", "error", "code", "delivery", "recipients", "each"}
CASE_MEMBERS |= {"requests", "attempts", "request", "arrived"}
MESSAGE_MEMBERS = {"action", "room_id", "from", "to", "to_range", "text", "text_repeat", "base64"}
MESSAGE_MEMBERS |= {"conversation_id", "sender_id", "user_ids", "msg_type"}
# A smaller literal than C99 and C++11 must take.
LITERAL_BYTES = 2000

TYPES = """\
/* Generated from tests/conformance.json by tools/conformance_table.py. */
#ifndef CONFORMANCE_TABLE_H
#define CONFORMANCE_TABLE_H

#include <rtcmsg.h>

/* Two texts that belong together: path and body, key and value. */
struct conformance_pair {
  const char *first;
  const char *second;
};

struct conformance_device {
  const char *platform;
  const char *vendor_message;
  uint32_t delivery;
};

struct conformance_recipient {
  const char *user;
  int64_t user_id;
  uint32_t delivery;
  rtcmsg_code code;
  int32_t vendor_code;
  const char *vendor_message;
  const struct conformance_device *devices;
  size_t device_count;
};

/* How often the message is in an inbox. */
struct conformance_arrival {
  const char *vendor;
  const char *user;
  size_t count;
};

struct conformance_case {
  const char *name;
  const struct conformance_pair *settings;
  size_t setting_count;
  const char *const *faults;
  size_t fault_count;
  rtcmsg_message message;
  /* Refused before any I/O: the code, the field and the text, NULL otherwise. */
  const char *error_field;
  const char *error_message;
  rtcmsg_code code;
  uint32_t delivery;
  const struct conformance_recipient *recipients;
  size_t recipient_count;
  size_t requests;
  size_t attempts;
  /* Of the first request; NULL and -1 for what the case does not say. */
  const char *vendor_error;
  int64_t vendor_code;
  int64_t http_status;
  const struct conformance_arrival *arrivals;
  size_t arrival_count;
};
"""


class Table:
    """The lines of the header; lists become arrays of their own, before what points to them."""

    def __init__(self) -> None:
        self.lines = [TYPES]
        self._arrays = 0

    def array(self, kind: str, rows: list[str]) -> str:
        """Declares an array, and gives `name, length`."""
        if not rows:
            return "NULL, 0"
        self._arrays += 1
        name = f"conformance_{self._arrays}"
        self.lines.append(f"static const {kind} {name}[] = {{")
        self.lines.extend(f"  {row}," for row in rows)
        self.lines.append("};")
        return f"{name}, {len(rows)}"

    def bytes(self, data: bytes) -> str:
        """`pointer, length` of bytes of any number."""
        if len(data) <= LITERAL_BYTES:
            return f"{literal(data)}, {len(data)}"
        rows = [data[start : start + 40] for start in range(0, len(data), 40)]
        name = self.array("unsigned char", [", ".join(map(str, row)) for row in rows]).partition(",")[0]
        return f"{name}, {len(data)}"

    def text(self, text: str) -> str:
        """An rtcmsg_str."""
        return f"{{{self.bytes(text.encode())}}}"


def literal(data: bytes) -> str:
    """A string literal. A special character is three octal digits, so that a digit after it is not part of the escape."""
    plain = set(range(0x20, 0x7F)) - {*b'"\\?'}
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in data) + '"'


def quoted(text: str) -> str:
    return literal(text.encode())


def compact(value: Any) -> str:
    return quoted(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def int64(number: int) -> str:
    return "INT64_MIN" if number == -(2**63) else f"INT64_C({number})"


def known(members: dict[str, Any], allowed: set[str], where: str) -> None:
    unknown = members.keys() - allowed
    if unknown:
        raise SystemExit(f"{where}: unknown members {sorted(unknown)}")


def recipients_named(message: dict[str, Any]) -> list[str]:
    if "to_range" in message:
        form, count = message["to_range"]
        return [form.replace("%d", str(number)) for number in range(1, count + 1)]
    named: list[str] = message.get("to", [])
    return named


def payload(message: dict[str, Any]) -> bytes:
    if "base64" in message:
        return base64.b64decode(message["base64"], validate=True)
    if "text_repeat" in message:
        text, count = message["text_repeat"]
        return str(text).encode() * int(count)
    return str(message["text"]).encode()


def message_row(table: Table, message: dict[str, Any]) -> str:
    fields = [
        "sizeof(rtcmsg_message)",
        ACTIONS[message["action"]],
        "RTCMSG_MESSAGE_BINARY" if "base64" in message else "0",
        table.text(message["room_id"]) if "room_id" in message else "{NULL, 0}",
        table.text(message["from"]) if "from" in message else "{NULL, 0}",
        table.array("rtcmsg_str", [table.text(user) for user in recipients_named(message)]),
        int64(message.get("conversation_id", 0)),
        int64(message.get("sender_id", 0)),
        table.array("int64_t", [int64(user) for user in message.get("user_ids", [])]),
        str(message.get("msg_type", 0)),
        "0",
        table.bytes(payload(message)),
    ]
    return "{" + ", ".join(fields) + "}"


def recipient_row(table: Table, row: dict[str, Any]) -> str:
    known(row, {"user", "delivery", "code", "vendor_code", "vendor_message", "devices"}, str(row))
    devices = [
        f"{{{quoted(device['platform'])}, {quoted(device['vendor_message'])}, {device['delivery']}}}"
        for device in row.get("devices", [])
    ]
    user = row["user"]
    fields = [
        quoted(user) if isinstance(user, str) else "NULL",
        "0" if isinstance(user, str) else int64(user),
        row["delivery"],
        row["code"],
        str(row.get("vendor_code", 0)),
        quoted(row.get("vendor_message", "")),
        table.array("struct conformance_device", devices),
    ]
    return "{" + ", ".join(fields) + "}"


def recipient_rows(table: Table, case: dict[str, Any]) -> str:
    rows = case.get("recipients", [])
    if "each" in case:
        rows = [{**case["each"], "user": user} for user in recipients_named(case["message"])]
    return table.array("struct conformance_recipient", [recipient_row(table, row) for row in rows])


def arrival_row(where: str, count: int) -> str:
    vendor, _, user = where.partition(" ")
    return f"{{{quoted(vendor)}, {quoted(user)}, {count}}}"


def case_row(table: Table, base: dict[str, str], case: dict[str, Any]) -> str:
    known(case, CASE_MEMBERS, case["name"])
    known(case["message"], MESSAGE_MEMBERS, case["name"])
    settings = base | case.get("settings", {})
    error = case.get("error")
    request = case.get("request", {})
    fields = [
        quoted(case["name"]),
        table.array("struct conformance_pair", [f"{{{quoted(k)}, {quoted(v)}}}" for k, v in settings.items()]),
        table.array("char *const", [compact(fault) for fault in case.get("faults", [])]),
        message_row(table, case["message"]),
        *(
            (quoted(error["field"]), quoted(error["message"]), error["code"])
            if error
            else ("NULL", "NULL", case["code"])
        ),
        "0" if error else case["delivery"],
        recipient_rows(table, case),
        str(case.get("requests", 0)),
        str(case.get("attempts", 0)),
        quoted(request["vendor_error"]) if "vendor_error" in request else "NULL",
        str(request.get("vendor_code", -1)),
        str(request.get("http_status", -1)),
        table.array("struct conformance_arrival", [arrival_row(*item) for item in case.get("arrived", {}).items()]),
    ]
    return "{" + ", ".join(fields) + "}"


def header(conformance: dict[str, Any]) -> str:
    table = Table()
    world = [f"{{{quoted(path)}, {compact(body)}}}" for path, body in conformance["world"]]
    cases = [case_row(table, conformance["settings"], case) for case in conformance["cases"]]
    names = [case["name"] for case in conformance["cases"]]
    if len(set(names)) != len(names):
        raise SystemExit("two cases have one name")
    for kind, name, rows in (("pair", "world", world), ("case", "cases", cases)):
        table.lines.append(f"static const struct conformance_{kind} conformance_{name}[] = {{")
        table.lines.extend(f"  {row}," for row in rows)
        table.lines.append("};")
    return "\n".join(table.lines) + "\n\n#endif\n"


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    conformance = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(header(conformance), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
