"""The farm's render platforms."""

from __future__ import annotations

import re

from airflow_provider_renderbus.api.validation import excerpt

# Source: the vendor's API documents. The farm itself lists all of them (query_platforms).
PLATFORMS = {"W2": 2, "GPU": 21, "W3": 62}
MAX_PLATFORM_ID = 9999
_ID = re.compile(r"[0-9]{1,4}")


def parse_platform(name: str, value: int | str) -> int:
    """Return the id of a platform, given as such ("2" or 2) or by its short name ("W2").

    :raises ValueError: it is neither.
    """
    platform: int | str = value
    if isinstance(value, str):
        key = value.strip().upper()
        platform = PLATFORMS.get(key, int(key) if _ID.fullmatch(key) else 0)
    if type(platform) is not int or not 0 < platform <= MAX_PLATFORM_ID:
        choices = ", ".join(PLATFORMS)
        raise ValueError(f"{name}: must be one of {choices} or a platform's id, got {excerpt(value)}")
    return platform
