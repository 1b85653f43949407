"""Finds librtcmsg, loads it once, and checks that its version fits the header that this package was written for."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import os
from ctypes import CFUNCTYPE, PYFUNCTYPE
from pathlib import Path
from typing import Any

from . import _abi

SONAME = f"librtcmsg.so.{_abi.HEADER_VERSION >> 16}.{_abi.HEADER_VERSION >> 8 & 0xFF}"


class LibraryError(ImportError):
    """librtcmsg is missing, cannot be loaded, or does not have the version that this package needs.

    The text names every place that was searched.
    """


# Two threads may load the library at the same time, which is harmless: the loader returns the same library to both.
@functools.cache
def library() -> Any:
    """Returns the loaded library with typed functions. The library is never unloaded."""
    loaded, place = _load()
    try:
        version = loaded.rtcmsg_version
    except AttributeError:
        raise LibraryError(f"{place} is not librtcmsg: it has no rtcmsg_version") from None
    version.restype = ctypes.c_uint32
    _check_version(version(), place)
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        # Reading a field of a report is faster than releasing and acquiring the GIL.
        kind = PYFUNCTYPE if name.startswith("rtcmsg_report_") else CFUNCTYPE
        try:
            setattr(loaded, name, kind(result, *arguments)((name, loaded)))
        except AttributeError:
            text = f"{place} is older than this package ({version_text(_abi.HEADER_VERSION)}): it has no {name}"
            raise LibraryError(text) from None
    return loaded


def library_version() -> str:
    """Returns the version of librtcmsg, such as `0.1.0`. Loads the library if necessary; raises `LibraryError`."""
    return version_text(library().rtcmsg_version())


def version_text(version: int) -> str:
    return f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"


def _load() -> tuple[ctypes.CDLL, str]:
    chosen = os.environ.get("RTCMSG_LIBRARY")
    if chosen:
        # If the variable is set, only this file is acceptable.
        places = [("RTCMSG_LIBRARY", chosen)]
    else:
        places = [("the package", str(Path(__file__).with_name("librtcmsg.so"))), ("the loader", SONAME)]
        found = ctypes.util.find_library("rtcmsg")
        if found and found != SONAME:
            places.append(("the loader", found))
    failures = []
    for place, name in places:
        try:
            return ctypes.CDLL(name), name
        except OSError as error:
            failures.append(f"{place}: {error}" if name in str(error) else f"{place}: {name}: {error}")
    raise LibraryError("librtcmsg was not found. Searched: " + "; ".join(failures))


def _check_version(version: int, place: str) -> None:
    """While the version is 0.x, each minor version has its own ABI, and a patch version only adds to it."""
    header = _abi.HEADER_VERSION
    if version >> 8 != header >> 8 or version < header:
        problem = "which is older than" if version < header else "whose ABI does not fit"
        text = f"{place} has version {version_text(version)}, {problem} this package ({version_text(header)})"
        raise LibraryError(text)
