"""The solids that scenes show, each as a signed distance.

Each function takes points in the solid's own space, arrays x, y, z, and returns how far they are from its
surface, negative inside. All fit in a ball of radius 1 about the origin. Distances to boxes, rings and balls
are common knowledge of the field; the solids made of them are our own. A solid that is bent gives less than
the true distance, by the factor at its end, so that no ray steps through it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# 32-bit floats in fact; the types of numpy say 64 once a plain number is added.
Array = NDArray[np.floating[Any]]
Solid = Callable[[Array, Array, Array], Array]

METABALLS = ((0.0, 0.0, 0.0, 0.42), (0.5, 0.25, 0.1, 0.32), (-0.4, -0.3, 0.35, 0.36), (-0.1, 0.5, -0.4, 0.28))
BLEND_SHARPNESS = 11  # the lower, the further the drops flow together


def lattice(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a hollow ball cut to a gyroid lattice."""
    u, v, w = x * 4.6, y * 4.6, z * 4.6
    gyroid = np.abs(np.sin(u) * np.cos(v) + np.sin(v) * np.cos(w) + np.sin(w) * np.cos(u))
    return _intersection(np.abs(_length(x, y, z) - 0.9) - 0.09, (gyroid - 0.42) * 0.13)


def rings(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to three rings about a ball."""
    outer, middle = np.hypot(np.hypot(x, y) - 0.88, z), np.hypot(np.hypot(y, z) - 0.7, x)
    inner = np.hypot(np.hypot(z, x) - 0.52, y)
    return _union(_union(outer, _union(middle, inner)) - 0.075, _length(x, y, z) - 0.34)


def die(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a rounded cube from which a ball is cut, with a smaller ball in it."""
    radius = _length(x, y, z)
    return _union(_intersection(_box(x, y, z, 0.52, 0.52) - 0.07, 0.7 - radius), radius - 0.4)


def twist(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a ring of square section, twisted."""
    angle = np.arctan2(z, x) * 1.5
    cos, sin, out = np.cos(angle), np.sin(angle), np.hypot(x, z) - 0.68
    u, v = np.abs(cos * out + sin * y) - 0.2, np.abs(cos * y - sin * out) - 0.2
    edge = np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0)
    return (edge - 0.03) * 0.75


def tower(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to a column, twisted and narrower at its top."""
    cos, sin = np.cos(y * 1.9), np.sin(y * 1.9)
    return (_box(cos * x + sin * z, y, cos * z - sin * x, 0.3 - 0.1 * y, 0.75) - 0.05) * 0.7


def metaballs(x: Array, y: Array, z: Array) -> Array:
    """Return the distance to four balls that flow together."""
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
    larger: Array = np.maximum(a, b)
    return larger


def _union(a: Array, b: Array) -> Array:
    smaller: Array = np.minimum(a, b)
    return smaller
