"""A pytest plugin. Its fixture `rtcmsg_emulator` is an emulator of both vendors that is empty at the start of a test.

    def test_alice_is_greeted(rtcmsg_emulator):
        rtcmsg_emulator.post("volcengine/login", user_id="alice")
        with rtcmsg.Client(settings=rtcmsg_emulator.settings) as client:
            greet(client, "alice")
        assert rtcmsg_emulator.payloads("volcengine", "alice") == ["hello"]

The package registers the plugin, so a conftest.py needs no line for it. The ini option `rtcmsg_emulator_options`
contains command-line options for the emulator, such as `--no-quota`.
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
    """One emulator process for the whole test run."""
    # Imported here, because pytest loads this module in every run, and only some runs use an emulator.
    from .emulator import Emulator

    with Emulator(*pytestconfig.getini("rtcmsg_emulator_options")) as emulator:
        yield emulator


@pytest.fixture
def rtcmsg_emulator(rtcmsg_emulator_process: Emulator) -> Emulator:
    """The emulator without users, received messages and faults."""
    rtcmsg_emulator_process.reset()
    return rtcmsg_emulator_process
