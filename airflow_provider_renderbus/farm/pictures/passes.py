"""Passes: what a layer shows of a frame, and how the beauty pass comes together from the others.

``colour`` is the picture without the light's shadow, ``shadow`` what the shadow leaves of it, as a factor for
each channel, ``depth`` the distance from the eye. Haze lies between the eye and what it sees, and weakens the
shadow; so, with values from 0 to 1 as they stand in the files::

    beauty = colour * (1 - (1 - shadow) * clearness(depth * FAR))
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.pictures.sdf import Array

FAR = 32
"""The distance that a depth pass shows white. The solid is about one unit from its middle to its end."""
FOG_START, FOG_DENSITY = 4.4, 0.17
MAX_DEPTH_VALUE = 0xFFFF  # white in 16 bits


class Pass(Enum):
    """What a picture shows."""

    BEAUTY = "beauty"
    COLOUR = "colour"
    SHADOW = "shadow"
    DEPTH = "depth"


PASS_NAMES = {one.value: one for one in Pass} | {"color": Pass.COLOUR}


def pass_of_layer(layer: str) -> Pass:
    """Return what a layer shows: the pass whose name its own ends with, else beauty."""
    return next((one for name, one in PASS_NAMES.items() if layer.lower().endswith(name)), Pass.BEAUTY)


def fog_transmittance(distance: Array) -> Array:
    """Return how much haze lets through, 1 near by to 0 far away, over a distance."""
    near = np.exp(np.maximum(distance - FOG_START, 0) * -FOG_DENSITY)
    clear: Array = near * near * (3 - 2 * near)
    return clear


def depth_values(distance: Array) -> Array:
    """Return distances as the whole numbers, 0 to 65535, that stand in a depth pass."""
    values: Array = np.rint(np.minimum(distance / FAR, 1) * MAX_DEPTH_VALUE)
    return values


def shadow_values(beauty: Array, colour: Array, distance: Array) -> Array:
    """Return the shadow pass, 0 to 1, that makes the formula true of a beauty and a colour pass."""
    darker = 1 - beauty / np.maximum(colour, 1e-6)
    through: Array = 1 - darker / fog_transmittance(depth_values(distance) * (FAR / MAX_DEPTH_VALUE))
    return np.clip(through, 0, 1)
