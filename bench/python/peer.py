"""The vendor's own Python SDK, as its users call it: `Service.json`, since it has no RTC module. `peer.py sign COUNT`
measures only its signer, on the request of bench/sign.rs."""

from __future__ import annotations

import json
import sys
import time

from harness import Run, arguments, run
from volcengine.ApiInfo import ApiInfo
from volcengine.auth.SignerV4 import SignerV4
from volcengine.base.Request import Request
from volcengine.base.Service import Service
from volcengine.Credentials import Credentials
from volcengine.ServiceInfo import ServiceInfo

APP_ID = "661e000000000000000demo1"
CREDENTIALS = Credentials("AKLTdemo", "demo-secret-key==", "rtc", "cn-north-1")


def service(url: str) -> Service:
    scheme, host = url.split("://")
    info = ServiceInfo(host, {}, CREDENTIALS, 10, 10, scheme)
    actions = ("SendUnicast", "BatchSendRoomUnicast")
    return Service(
        info, {name: ApiInfo("POST", "/", {"Action": name, "Version": "2020-12-01"}, {}, {}) for name in actions}
    )


def main(given: Run) -> None:
    client = service(given.url)
    users, text = given.to, given.text
    if given.case == "batch-600":
        action, who = "BatchSendRoomUnicast", {"RoomId": "lobby", "From": "server", "To": users}
    elif given.case.startswith("unicast"):
        action, who = "SendUnicast", {"From": "server", "To": users[0]}
    else:
        sys.exit(f"the SDK has no such call: {given.case}")

    def send() -> None:
        body = json.dumps({"AppId": APP_ID, **who, "Binary": False, "Message": text})
        answer = json.loads(client.json(action, {}, body))
        assert answer["ResponseMetadata"]["RequestId"]

    run(given, send)


def sign(count: int) -> None:
    who = {"From": "server", "To": "user-0001", "Binary": False, "Message": "0123456789" * 10}
    body = json.dumps({"AppId": APP_ID, **who}, separators=(",", ":"))
    begun = time.perf_counter_ns()
    for _ in range(count):
        request = Request()
        request.set_method("POST")
        request.set_path("/")
        request.set_query({"Action": "SendUnicast", "Version": "2020-12-01"})
        request.set_headers({"Host": "rtc.volcengineapi.com", "Content-Type": "application/json"})
        request.body = body
        SignerV4.sign(request, CREDENTIALS)
        assert request.headers["Authorization"]
    print(json.dumps({"sign_ns": round((time.perf_counter_ns() - begun) / count, 1)}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["sign"]:
        sign(int(sys.argv[2]))
    else:
        main(arguments())
