"""Render passes, and the formula that composites the beauty pass from the others.

``colour`` is the picture without the shadow of the light, ``shadow`` the factor by which the shadow darkens
each channel, ``depth`` the distance from the camera. Fog between the camera and the surface weakens the
shadow. With values from 0 to 1, as in the files::

    beauty = colour * (1 - (1 - shadow) * fog_transmittance(depth * FAR))
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.pictures.sdf import Array

FAR = 32
"""The distance that is white in a depth pass. The solid has a radius of about 1."""
FOG_START, FOG_DENSITY = 4.4, 0.17
MAX_DEPTH_VALUE = 0xFFFF  # white in 16 bits


class Pass(Enum):
    """A render pass."""

    BEAUTY = "beauty"
    COLOUR = "colour"
    SHADOW = "shadow"
    DEPTH = "depth"


PASS_NAMES = {each.value: each for each in Pass} | {"color": Pass.COLOUR}


def pass_of_layer(layer: str) -> Pass:
    """Return the pass whose name is the end of the layer's name, else beauty."""
    return next((each for name, each in PASS_NAMES.items() if layer.lower().endswith(name)), Pass.BEAUTY)


def fog_transmittance(distance: Array) -> Array:
    """Return the transmittance of the fog at a distance: 1 near the camera, 0 far away."""
    near = np.exp(np.maximum(distance - FOG_START, 0) * -FOG_DENSITY)
    transmittance: Array = near * near * (3 - 2 * near)
    return transmittance


def depth_values(distance: Array) -> Array:
    """Return distances as integers of a depth pass, 0 to 65535."""
    values: Array = np.rint(np.minimum(distance / FAR, 1) * MAX_DEPTH_VALUE)
    return values


def shadow_values(beauty: Array, colour: Array, distance: Array) -> Array:
    """Return the shadow pass, 0 to 1, with which the formula gives the beauty pass from the colour pass."""
    darkening = 1 - beauty / np.maximum(colour, 1e-6)
    shadow: Array = 1 - darkening / fog_transmittance(depth_values(distance) * (FAR / MAX_DEPTH_VALUE))
    return np.clip(shadow, 0, 1)
