"""The requests of the cases as bytes, head and body as our library sends them: for the peers that send them ready-made.

The messages are those of bench/c/harness.c. The signature is a real one, of the moment when the bench starts.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import urllib.parse

ACCESS_KEY, SECRET_KEY, APP_ID = "AKLTdemo", "demo-secret-key==", "661e000000000000000demo1"
ZEGO_APP_ID, ZEGO_SECRET = "1234567890", "0123456789abcdef0123456789abcdef"
CASES = ("unicast-100", "unicast-60k", "batch-600", "command-10")


def users(count: int) -> list[str]:
    return [f"user-{n:04}" for n in range(1, count + 1)]


def payload(length: int) -> str:
    return ("0123456789" * (length // 10 + 1))[:length]


def raw(case: str, host: str) -> bytes:
    """Everything that goes over the connection for one send."""
    if case == "command-10":
        return command(host)
    if case == "batch-600":
        who = {"RoomId": "lobby", "From": "server", "To": users(600)}
    else:
        who = {"From": "server", "To": users(1)[0]}
    text = payload(60 * 1024 if case == "unicast-60k" else 100)
    body = {"AppId": APP_ID, **who, "Binary": False, "Message": text}
    action = "BatchSendRoomUnicast" if case == "batch-600" else "SendUnicast"
    return signed(action, json.dumps(body, separators=(",", ":")).encode(), host)


def signed(action: str, body: bytes, host: str) -> bytes:
    x_date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    query = f"Action={action}&Version=2020-12-01"
    content_sha256 = hashlib.sha256(body).hexdigest()
    headers = {
        "content-type": "application/json",
        "host": host,
        "x-content-sha256": content_sha256,
        "x-date": x_date,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\n{query}\n{lines}\n{names}\n{content_sha256}"
    scope = f"{x_date[:8]}/cn-north-1/rtc/request"
    to_sign = "\n".join(["HMAC-SHA256", x_date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = SECRET_KEY.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    headers["user-agent"] = "rtcmsg/0.1.0"
    headers["content-length"] = str(len(body))
    return head("POST", f"/?{query}", headers) + body


def command(host: str) -> bytes:
    nonce, timestamp = "4fd24687296dd9f3", str(int(datetime.datetime.now().timestamp()))
    signature = hashlib.md5((ZEGO_APP_ID + nonce + ZEGO_SECRET + timestamp).encode()).hexdigest()
    parameters = [("Action", "SendCustomCommand"), ("RoomId", "lobby"), ("FromUserId", "server")]
    parameters += [("ToUserId[]", user) for user in users(10)] + [("MessageContent", payload(100))]
    parameters += [("AppId", ZEGO_APP_ID), ("SignatureNonce", nonce), ("Timestamp", timestamp)]
    parameters += [("Signature", signature), ("SignatureVersion", "2.0")]
    return head("GET", f"/?{urllib.parse.urlencode(parameters)}", {"host": host, "user-agent": "rtcmsg/0.1.0"})


def head(method: str, target: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
