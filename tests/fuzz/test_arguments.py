"""Arguments of any type and size: a ValueError that names the argument, or something that can be sent."""

import inspect
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import PurePath

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.clients.settings import Settings
from tests.fuzz.hostile_json import valid_arguments

NUMBERS = [0, -1, 2**70, 10**400, -(10**5000), float("nan"), float("inf"), 0.5, 1e308]
TEXTS = ["", " ", "\ud800", "\x00", "a\nb", "A" * 10_000, "01", "1e3", "nan", "\u0663", "\uff11", "9" * 5000]
NAMES = [
    "1-5",
    "5-1",
    "1-9999999999",
    "1-2[1]," * 50,
    "{{ x }}",
    "2W35",
    "http://x",
    "x:0",
    "[::1]:80",
    "\xe9",
]
OTHERS = [None, True, [], [1], ["\ud800"], [None], {}, {1: 2}, (), set(), b"xy", object(), PurePath("x")]
AMOUNTS = [Decimal("NaN"), Decimal("sNaN"), Decimal("1E+999999"), timedelta(-1), timedelta.max]
NONSENSE = [*NUMBERS, *TEXTS, *NAMES, *OTHERS, *AMOUNTS]
HEADERS = {
    "accessId": "i",
    "channel": "4",
    "platform": "2",
    "UTCTimestamp": "1",
    "nonce": "1",
    "version": "2",
}
VALID_SETTINGS = {"domain": "farm.test", "access_id": "id", "access_key": "key"}
USER_FIELDS = [
    name
    for name in inspect.signature(Settings).parameters
    if name not in {"console_url_template", "display_names", "owner"}
]


@pytest.mark.parametrize("name", calls.__all__)
def test_call_with_nonsense_raises_value_error_or_can_be_sent(name):
    messages = []
    for parameter in inspect.signature(getattr(calls, name)).parameters:
        for value in NONSENSE:
            try:
                call = getattr(calls, name)(**{**valid_arguments(name), parameter: value})
            except ValueError as error:
                messages.append(str(error))
                continue
            signature("key", "farm.test", "/path", HEADERS, call.body)
            json.dumps(call.body, ensure_ascii=False, allow_nan=False).encode()
    assert max(map(len, messages), default=0) < 1000


@pytest.mark.parametrize("field", USER_FIELDS)
def test_settings_with_nonsense_raise_value_error_or_have_a_url(field):
    messages = []
    for value in NONSENSE:
        try:
            settings = Settings(**{**VALID_SETTINGS, field: value})
        except ValueError as error:
            messages.append(str(error))
            continue
        assert settings.url("/").isascii()
        settings.ssl_context()
    assert 0 < max(map(len, messages)) < 1000
