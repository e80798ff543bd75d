"""The farm's render platforms."""

from __future__ import annotations

# Source: the vendor's API documents. The farm itself lists all of them (query_platforms).
PLATFORMS = {"W2": 2, "GPU": 21, "W3": 62}


def parse_platform(argument: str, value: int | str) -> int:
    """Return a platform's number, given as such ("2" or 2) or by its short name ("W2").

    :raises ValueError: it is neither.
    """
    if isinstance(value, str):
        name = value.strip().upper()
        number = PLATFORMS.get(name, int(name) if name.isascii() and name.isdigit() else 0)
    else:
        number = value
    if type(number) is not int or number <= 0:
        names = ", ".join(PLATFORMS)
        raise ValueError(f"{argument}: a platform's number or one of {names} is wanted, not {value!r}")
    return number
