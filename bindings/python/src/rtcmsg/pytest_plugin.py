"""A pytest plugin: the fixture `rtcmsg_emulator` is an emulator of both vendors, empty at the start of each test.

    def test_alice_is_greeted(rtcmsg_emulator):
        rtcmsg_emulator.post("volcengine/login", user_id="alice")
        with rtcmsg.Client(settings=rtcmsg_emulator.settings) as client:
            greet(client, "alice")
        assert rtcmsg_emulator.payloads("volcengine", "alice") == ["hello"]

Installed with the package, it needs no line in a conftest.py. The ini option `rtcmsg_emulator_options` is for its
command line, such as `--no-quota`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .emulator import Emulator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("rtcmsg_emulator_options", "options for the command line of rtcmsg-emulator", type="args", default=[])


@pytest.fixture(scope="session")
def rtcmsg_emulator_process(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """One process for the whole run."""
    # Not at the top: pytest loads this module in every run, and only some have use for an emulator.
    from .emulator import Emulator

    with Emulator(*pytestconfig.getini("rtcmsg_emulator_options")) as emulator:
        yield emulator


@pytest.fixture
def rtcmsg_emulator(rtcmsg_emulator_process: Emulator) -> Emulator:
    """The emulator, with nobody there and nothing received."""
    rtcmsg_emulator_process.reset()
    return rtcmsg_emulator_process
