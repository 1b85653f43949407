"""Finds librtcmsg, loads it once, and holds its version against the header that this package was written for."""

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
    """librtcmsg is missing, cannot be loaded, or is not the version that this package needs.

    The text names every place that was looked at.
    """


# Two threads at once may load it twice, which is harmless: the loader gives both the same.
@functools.cache
def library() -> Any:
    """The loaded library, its functions typed. It is never unloaded."""
    loaded, place = _load()
    try:
        version = loaded.rtcmsg_version
    except AttributeError:
        raise LibraryError(f"{place} is not librtcmsg: it has no rtcmsg_version") from None
    version.restype = ctypes.c_uint32
    _check_version(version(), place)
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        # A field of a report is read in less time than it takes to give up the GIL and get it back.
        kind = PYFUNCTYPE if name.startswith("rtcmsg_report_") else CFUNCTYPE
        try:
            setattr(loaded, name, kind(result, *arguments)((name, loaded)))
        except AttributeError:
            text = f"{place} is older than this package ({version_text(_abi.HEADER_VERSION)}): it has no {name}"
            raise LibraryError(text) from None
    return loaded


def library_version() -> str:
    """The version of librtcmsg, such as `0.1.0`; loads it if need be."""
    return version_text(library().rtcmsg_version())


def version_text(version: int) -> str:
    return f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"


def _load() -> tuple[ctypes.CDLL, str]:
    chosen = os.environ.get("RTCMSG_LIBRARY")
    if chosen:
        # Who names a file means that one and no other.
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
    raise LibraryError("librtcmsg was not found. Looked at: " + "; ".join(failures))


def _check_version(version: int, place: str) -> None:
    """While the version is 0.x, each minor version is a binary interface of its own, and a patch only adds to it."""
    header = _abi.HEADER_VERSION
    if version >> 8 != header >> 8 or version < header:
        relation = "older than" if version < header else "another binary interface than that of"
        text = f"{place} is version {version_text(version)}, {relation} this package ({version_text(header)})"
        raise LibraryError(text)
