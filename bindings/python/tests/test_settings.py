from __future__ import annotations

import pytest

import rtcmsg
from rtcmsg.emulator import Emulator


def test_settings_are_keywords_or_keys_with_dots(emulator: Emulator) -> None:
    keywords = {key.replace(".", "_"): value for key, value in emulator.settings.items()}
    with rtcmsg.Client(**keywords) as client:  # type: ignore[arg-type]
        client.send_unicast(from_="server", to="alice", payload="hello")
    with rtcmsg.Client(settings=emulator.settings, http_timeout_ms=5000, retry_on_unknown=False) as client:
        client.send_unicast(from_="server", to="alice", payload="hello")


def test_none_and_an_empty_text_mean_not_given() -> None:
    with pytest.raises(rtcmsg.NotConfigured):
        rtcmsg.Client(zego_app_id=None, zego_server_secret="")


def test_keywords_have_precedence_over_the_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RTCMSG_HTTP_TIMEOUT_MS", "none")
    with pytest.raises(rtcmsg.InvalidArgument) as caught:
        rtcmsg.Client.from_env()
    assert caught.value.field == "http.timeout_ms"
    monkeypatch.delenv("RTCMSG_HTTP_TIMEOUT_MS")
    with rtcmsg.Client.from_env() as client:
        client.send_unicast(from_="server", to="alice", payload="hello")
    with rtcmsg.Client(env=True, volcengine_secret_key="wrong") as client, pytest.raises(rtcmsg.Unauthenticated):
        client.send_unicast(from_="server", to="alice", payload="hello")
    with pytest.raises(rtcmsg.NotConfigured):
        rtcmsg.Client()


def test_service_links_of_kubernetes_in_the_environment_are_ignored(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RTCMSG_WORKER_SERVICE_HOST", "10.0.0.7")
    monkeypatch.setenv("RTCMSG_WORKER_PORT", "tcp://10.0.0.7:80")
    with rtcmsg.Client.from_env() as client:
        client.send_unicast(from_="server", to="alice", payload="hello")
    monkeypatch.setenv("RTCMSG_WORKER_THREAD", "3")
    with pytest.raises(rtcmsg.InvalidArgument, match=r"did you mean RTCMSG_WORKER_THREADS\?"):
        rtcmsg.Client.from_env()


def test_the_error_of_an_unknown_setting_suggests_the_nearest_one() -> None:
    text = r'unknown setting "zego.ap_id"; did you mean zego.app_id\?'
    with pytest.raises(rtcmsg.InvalidArgument, match=text):
        rtcmsg.Client(zego_ap_id=1)  # type: ignore[call-arg]
    with pytest.raises(rtcmsg.InvalidArgument, match=text):
        rtcmsg.Client(settings={"zego.ap_id": 1})


@pytest.mark.parametrize(
    "value, text",
    [
        (-1, 'zego.app_id: "-1" is not a whole number from 1 to 4,294,967,295'),
        (2**64, 'zego.app_id: "18446744073709551616" is not a whole number from 1 to 4,294,967,295'),
        (10**5000, "zego.app_id: a value of 23 characters is not a whole number from 1 to 4,294,967,295"),
        (True, 'zego.app_id: "true" is not a whole number from 1 to 4,294,967,295'),
        ("1\0", "zego.app_id: the value contains a NUL character"),
        ("\ud800", "value: is not UTF-8 at byte 0"),
    ],
    ids=["negative", "beyond 64 bits", "beyond what Python writes out", "bool", "NUL", "lone surrogate"],
)
def test_a_value_that_a_setting_does_not_accept_is_refused(value: int | str, text: str) -> None:
    with pytest.raises(rtcmsg.InvalidArgument) as caught:
        rtcmsg.Client(zego_app_id=value)
    assert str(caught.value) == text


def test_a_value_of_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="http.timeout_ms must be str, int or bool, not float"):
        rtcmsg.Client(http_timeout_ms=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="settings must be str, not int"):
        rtcmsg.Client(settings={5: "x"})  # type: ignore[dict-item]
