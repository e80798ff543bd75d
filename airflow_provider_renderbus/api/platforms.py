"""The farm's render platforms."""

from __future__ import annotations

# Source: the vendor's API documents. The farm itself lists all of them (query_platforms).
PLATFORMS = {"W2": 2, "GPU": 21, "W3": 62}


def parse_platform(name: str, value: int | str) -> int:
    """Return the id of a platform, given as such ("2" or 2) or by its short name ("W2").

    :raises ValueError: it is neither.
    """
    platform: int | str = value
    if isinstance(value, str):
        key = value.strip().upper()
        platform = PLATFORMS.get(key, int(key) if key.isascii() and key.isdigit() else 0)
    if type(platform) is not int or platform <= 0:
        raise ValueError(f"{name}: must be one of {', '.join(PLATFORMS)} or a platform's id, got {value!r}")
    return platform
