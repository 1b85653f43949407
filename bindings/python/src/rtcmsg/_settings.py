"""The settings as keywords, and their conversion to a configuration of the library."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import TypedDict, Union

from . import _abi
from ._arguments import c_string, shown
from ._errors import raise_for
from ._library import library

Value = Union[str, int, bool, None]


class Settings(TypedDict, total=False):
    """The settings of docs/CONFIGURATION.md, with `_` for each `.` of a key. None means "not given"."""

    volcengine_access_key: str | None
    volcengine_secret_key: str | None
    volcengine_session_token: str | None
    volcengine_credentials_source: str | None
    volcengine_rtc_app_id: str | None
    volcengine_im_app_id: int | str | None
    volcengine_endpoint: str | None
    volcengine_region: str | None
    volcengine_service: str | None
    volcengine_rtc_version: str | None
    volcengine_payload_limit_counts: str | None
    volcengine_p2p_max_content: int | None
    volcengine_p2p_max_users: int | None
    zego_app_id: int | str | None
    zego_server_secret: str | None
    zego_endpoint: str | None
    zego_is_test: str | bool | None
    zego_payload_limit_counts: str | None
    zego_max_id_length: int | None
    http_timeout_ms: int | None
    http_connect_timeout_ms: int | None
    http_max_idle_connections: int | None
    http_idle_timeout_ms: int | None
    http_max_connection_age_ms: int | None
    http_dns_ttl_ms: int | None
    http_allow_plaintext: bool | None
    http_proxy: str | None
    retry_max_attempts: int | None
    retry_on_unknown: bool | None
    retry_backoff_ms: int | None
    retry_backoff_max_ms: int | None
    retry_budget_percent: int | None
    split_concurrency: int | None
    split_max_recipients: int | None
    quota_mode: str | None
    quota_jitter_ms: int | None
    quota_rtc_per_second: int | None
    quota_im_per_second: int | None
    quota_im_user_per_second: int | None
    quota_im_user_receivers_per_minute: int | None
    quota_im_user_to_all_per_second: int | None
    quota_zego_per_second: int | None
    quota_room_per_second: int | None
    quota_batch_cost: str | None
    quota_volcengine_scope: str | None
    quota_zego_scope: str | None
    queue_capacity: int | None
    queue_max_bytes: int | None
    worker_threads: int | None
    worker_stack_bytes: int | None
    log_buffer_level: str | None
    log_buffer_lines: int | None
    tls_ca_file: str | None


def configure(keywords: Mapping[str, object], settings: Mapping[str, object], *, env: bool, log_level: str) -> int:
    """Creates a configuration for `rtcmsg_client_new`, which the caller frees.

    The arguments replace the environment.
    """
    lib = library()
    config: int = lib.rtcmsg_config_new()
    try:
        error = _abi.new_error()
        # First, so that the program can replace log.buffer_level.
        _set(config, "log.buffer_level", log_level)
        if env and lib.rtcmsg_config_load_env(config, error):
            raise_for(error)
        for key, value in settings.items():
            _set(config, key, value)
        for keyword, value in keywords.items():
            _set(config, keyword.replace("_", ".", 1), value)
    except BaseException:
        lib.rtcmsg_config_free(config)
        raise
    return config


def _set(config: int, key: str, value: object) -> None:
    if value is None:
        return
    name = c_string("settings", key)
    error = _abi.new_error()
    data = c_string(key, _text(key, value), nul="the value contains a NUL character")
    if library().rtcmsg_config_set(config, name, data, ctypes.byref(error)):
        raise_for(error)


def _text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return shown(value)
    raise TypeError(f"{key} must be str, int or bool, not {type(value).__name__}")
