from __future__ import annotations

import pytest

from rtcmsg.emulator import Emulator


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """The import path for the pytest that the tests start."""
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])


def test_each_test_has_an_empty_emulator(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest, rtcmsg

        @pytest.mark.parametrize("text", ["hello", "again"])
        def test_alice_is_greeted(rtcmsg_emulator, text):
            rtcmsg_emulator.post("volcengine/login", user_id="alice")
            with rtcmsg.Client(settings=rtcmsg_emulator.settings) as client:
                client.send_unicast(from_="server", to="alice", payload=text)
            assert rtcmsg_emulator.payloads("volcengine", "alice") == [text]
        """
    )
    result = pytester.runpytest_subprocess("-p", "rtcmsg.pytest_plugin")
    result.assert_outcomes(passed=2)


def test_options_reach_its_command_line(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nrtcmsg_emulator_options = --access-key AKLTother")
    pytester.makepyfile(
        """
        def test_settings(rtcmsg_emulator):
            assert rtcmsg_emulator.settings["volcengine.access_key"] == "AKLTother"
            assert rtcmsg_emulator.environment["RTCMSG_VOLCENGINE_ACCESS_KEY"] == "AKLTother"
        """
    )
    pytester.runpytest_subprocess("-p", "rtcmsg.pytest_plugin").assert_outcomes(passed=1)


def test_a_missing_emulator_names_the_places(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RTCMSG_EMULATOR")
    monkeypatch.setenv("PATH", "")
    pytester.makepyfile("def test_it(rtcmsg_emulator): pass")
    result = pytester.runpytest_subprocess("-p", "rtcmsg.pytest_plugin")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*rtcmsg-emulator was not found. Searched: RTCMSG_EMULATOR: not set; the package: *"])


def test_what_the_control_api_refuses_is_a_value_error(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="POST zego/join: 400: .*room_id"):
        emulator.post("zego/join", user_id="alice")


def test_an_emulator_that_cannot_start_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="the emulator exited with status 2 before it was ready"):
        Emulator("--no-such-option")
    assert "--no-such-option" in capfd.readouterr().err
