"""Signed distance functions (SDF) of the solids that scenes show.

Each function takes points in object space, arrays x, y, z, and returns their distance to the surface,
negative inside. All solids fit in a sphere of radius 1 about the origin. The distances to boxes, rings and
spheres are textbook formulas; the solids combined from them are our own. A twisted solid returns less than
the true distance, by the factor at the end of its function, so that no ray steps through it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# These are 32-bit floats; the types of numpy say 64 once a Python number is added.
Array = NDArray[np.floating[Any]]
Solid = Callable[[Array, Array, Array], Array]

METABALLS = ((0.0, 0.0, 0.0, 0.42), (0.5, 0.25, 0.1, 0.32), (-0.4, -0.3, 0.35, 0.36), (-0.1, 0.5, -0.4, 0.28))
BLEND_SHARPNESS = 11  # a lower value joins the metaballs more


def lattice(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a hollow sphere cut to a gyroid lattice."""
    u, v, w = x * 4.6, y * 4.6, z * 4.6
    gyroid = np.abs(np.sin(u) * np.cos(v) + np.sin(v) * np.cos(w) + np.sin(w) * np.cos(u))
    return _intersection(np.abs(_length(x, y, z) - 0.9) - 0.09, (gyroid - 0.42) * 0.13)


def rings(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to three rings about a sphere."""
    outer, middle = np.hypot(np.hypot(x, y) - 0.88, z), np.hypot(np.hypot(y, z) - 0.7, x)
    inner = np.hypot(np.hypot(z, x) - 0.52, y)
    return _union(_union(outer, _union(middle, inner)) - 0.075, _length(x, y, z) - 0.34)


def die(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a rounded cube with a spherical hole and a smaller sphere in it."""
    radius = _length(x, y, z)
    return _union(_intersection(_box(x, y, z, 0.52, 0.52) - 0.07, 0.7 - radius), radius - 0.4)


def twist(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a twisted ring with a square section."""
    angle = np.arctan2(z, x) * 1.5
    cos, sin, out = np.cos(angle), np.sin(angle), np.hypot(x, z) - 0.68
    u, v = np.abs(cos * out + sin * y) - 0.2, np.abs(cos * y - sin * out) - 0.2
    edge = np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0)
    return (edge - 0.03) * 0.75


def tower(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a twisted column that narrows to the top."""
    cos, sin = np.cos(y * 1.9), np.sin(y * 1.9)
    return (_box(cos * x + sin * z, y, cos * z - sin * x, 0.3 - 0.1 * y, 0.75) - 0.05) * 0.7


def metaballs(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to four metaballs."""
    near = np.full_like(x, 1e-9)
    for a, b, c, radius in METABALLS:
        near += np.exp((radius - _length(x - a, y - b, z - c)) * BLEND_SHARPNESS)
    return -np.log(near) / BLEND_SHARPNESS


SOLIDS: tuple[Solid, ...] = (lattice, rings, die, twist, tower, metaballs)


def _length(x: Array, y: Array, z: Array) -> Array:
    length: Array = np.sqrt(x * x + y * y + z * z)
    return length


def _box(x: Array, y: Array, z: Array, half: Array | float, half_height: float) -> Array:
    u, v, w = np.abs(x) - half, np.abs(y) - half_height, np.abs(z) - half
    inside = np.minimum(_intersection(u, _intersection(v, w)), 0)
    return _length(np.maximum(u, 0), np.maximum(v, 0), np.maximum(w, 0)) + inside


def _intersection(a: Array, b: Array) -> Array:
    distance: Array = np.maximum(a, b)
    return distance


def _union(a: Array, b: Array) -> Array:
    distance: Array = np.minimum(a, b)
    return distance
