"""Chance that repeats itself: the same seed, name and number always draw the same."""

from __future__ import annotations

from hashlib import blake2b


def drawn(what: str, number: int, seed: int, bounds: tuple[int, int]) -> int:
    """Draw a whole number.

    :param what: what it is drawn for.
    :param number: which of those.
    :param seed: that of the scenario.
    :param bounds: the least and the greatest number that can be drawn.
    """
    least, most = bounds
    salt = f"{seed}:" if seed else ""
    digest = blake2b(f"{salt}{what}:{number}".encode(errors="replace"), digest_size=4).digest()
    return least + int.from_bytes(digest) % (most - least + 1)
