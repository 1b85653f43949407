"""Compares with the vendor's own Python SDK: it must give our requests the same signature, and the emulator must accept its
requests as the vendor does. EMULATOR and QUICKSTART are the paths of the two programs; see the Makefile."""

from __future__ import annotations

import base64
import datetime
import json
import os
import pathlib
import subprocess
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from volcengine.ApiInfo import ApiInfo
from volcengine.auth.SignerV4 import SignerV4
from volcengine.auth.SignParam import SignParam
from volcengine.base.Service import Service
from volcengine.Credentials import Credentials
from volcengine.ServiceInfo import ServiceInfo

from emulator import Emulator

ACCESS_KEY, SECRET_KEY, TOKEN = "AKLTdemo", "demo-secret-key==", "demo-session-token"
SIGNED_BY_VENDOR = ("content-type", "host", "x-content-sha256", "x-date", "x-security-token")


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(os.environ["EMULATOR"]) as emulator:
        yield emulator


def signed_again(request: dict[str, Any], token: str) -> str:
    """The Authorization that the vendor's signer gives the captured request."""
    headers = {name.lower(): value for name, value in request["headers"]}
    split = urllib.parse.urlsplit(request["target"])
    param = SignParam()
    param.method, param.path, param.host = request["method"], split.path, headers["host"]
    param.query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
    param.body = base64.b64decode(request["body_base64"])
    param.header_list = {
        "-".join(part.capitalize() for part in name.split("-")): headers[name]
        for name in SIGNED_BY_VENDOR
        if name in headers
    }
    param.date = datetime.datetime.strptime(headers["x-date"], "%Y%m%dT%H%M%SZ")
    param.is_sign_url = False
    credentials = Credentials(ACCESS_KEY, SECRET_KEY, "rtc", "cn-north-1", token)
    return str(SignerV4.sign_only(param, credentials).authorization)


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize("version", ["2020-12-01", "2023-07-20"])
def test_the_vendors_signer_gives_our_requests_the_same_authorization(
    emulator: Emulator, token: str, version: str
) -> None:
    environment = emulator.environment | {
        "RTCMSG_VOLCENGINE_SESSION_TOKEN": token,
        "RTCMSG_VOLCENGINE_RTC_VERSION": version,
    }
    subprocess.run([os.environ["QUICKSTART"]], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=120)
    ours = [request for request in emulator.control("requests") if request["method"] == "POST"]
    assert len(ours) == 7
    for request in ours:
        sent = next(value for name, value in request["headers"] if name.lower() == "authorization")
        assert ("x-security-token" in sent) == bool(token)
        assert signed_again(request, token) == sent, request["target"]


def vendor_client(emulator: Emulator, secret_key: str, token: str) -> Service:
    host = emulator.url.removeprefix("http://")
    credentials = Credentials(ACCESS_KEY, secret_key, "rtc", "cn-north-1", token)
    service_info = ServiceInfo(host, {"Content-Type": "application/json"}, credentials, 5, 5, "http")
    query = {"Action": "SendUnicast", "Version": "2020-12-01"}
    return Service(service_info, {"SendUnicast": ApiInfo("POST", "/", query, {}, {})})


BODY = {"AppId": "661e000000000000000demo1", "From": "server", "To": "alice", "Binary": False, "Message": "你好 a+b"}


@pytest.fixture(autouse=True)
def only_the_given_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """The vendor's client prefers keys of the environment and of the home folder over those it is given."""
    monkeypatch.delenv("VOLC_ACCESSKEY", raising=False)
    monkeypatch.delenv("VOLC_SECRETKEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("token", ["", TOKEN])
def test_the_vendors_client_is_accepted_with_the_right_keys(emulator: Emulator, token: str) -> None:
    emulator.control("volcengine/login", {"user_id": "alice"})
    answer = json.loads(vendor_client(emulator, SECRET_KEY, token).json("SendUnicast", {}, json.dumps(BODY)))
    assert answer["Result"]["Message"] == "Success"
    assert [entry["payload"] for entry in emulator.control("inbox?vendor=volcengine&user=alice")] == ["你好 a+b"]


def test_the_vendors_client_is_refused_with_a_wrong_key(emulator: Emulator) -> None:
    emulator.control("volcengine/login", {"user_id": "alice"})
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        vendor_client(emulator, "another-key", "").json("SendUnicast", {}, json.dumps(BODY))
    assert emulator.control("inbox?vendor=volcengine&user=alice") == []
