"""Ray marching with numpy: rays go on by the distance to the solid, and those that have ended are dropped.

Points and directions are arrays of shape (3, n) in 32-bit floats, directions of length 1. Everything is in
the solid's own space, where the solid fits in a ball of radius 1 about the origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.pictures.sdf import Array, Solid

EPSILON = 0.002
MAX_STEPS = 56
MAX_SHADOW_STEPS = 32
MIN_LIGHT = 0.01
STEPS_PER_COMPACTION = 4  # steps; to drop rays costs about as much as a step
TETRAHEDRON = ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1))


def vec3(*values: float) -> Array:
    """Return one vector, of shape (3, 1)."""
    return np.array(values, np.float32)[:, None]


def dot(a: Array, b: Array) -> Array:
    """Return the inner products."""
    product: Array = (a * b).sum(0)
    return product


def normalize(vectors: Array) -> Array:
    """Return the vectors at length 1."""
    shortened: Array = vectors / np.sqrt(dot(vectors, vectors))
    return shortened


def intersect_sphere(origins: Array, directions: Array, radius: float) -> tuple[Array, Array]:
    """Return how far along each ray it enters and leaves a ball about the origin; -1 where it misses."""
    middle = -dot(origins, directions)
    square = middle * middle - dot(origins, origins) + radius * radius
    half = np.sqrt(np.maximum(square, 0))
    return np.where(square > 0, middle - half, -1), np.where(square > 0, middle + half, -1)


def march(solid: Solid, origins: Array, directions: Array) -> Array:
    """Return how far along each ray the solid is, infinite where the ray misses it."""
    enter, leave = intersect_sphere(origins, directions, 1.02)
    found = np.full_like(enter, np.inf)
    alive = np.flatnonzero(leave > 0)
    o, d, t, end = origins[:, alive], directions[:, alive], np.maximum(enter[alive], 0), leave[alive]
    for step in range(1, MAX_STEPS + 1):
        distance = solid(*(o + d * t))
        near = distance < EPSILON
        t += np.where(near, 0, distance)  # one that has hit stays, whenever it is dropped
        ended = near | (t > end)
        if step % STEPS_PER_COMPACTION == 0 or np.count_nonzero(ended) * 4 > ended.size:
            found[alive[near]] = t[near]
            going = np.flatnonzero(~ended)
            if not going.size:
                break
            alive, o, d, t, end = alive[going], o[:, going], d[:, going], t[going], end[going]
    return found


def soft_shadow(solid: Solid, points: Array, direction: Array, sharpness: float) -> Array:
    """Return how much light points get past the solid, 0 to 1.

    :param direction: to the light, of shape (3, 1).
    :param sharpness: of the shadow's edge: the less, the wider the edge.
    """
    enter, leave = intersect_sphere(points, direction, 1.4)
    amount = np.ones_like(enter)
    alive = np.flatnonzero(leave > 0)
    o, t, end = points[:, alive], np.maximum(enter[alive], 0.03), leave[alive]
    least = np.ones_like(t)
    for step in range(1, MAX_SHADOW_STEPS + 1):
        distance = solid(*(o + direction * t))
        np.minimum(least, sharpness * distance / t, out=least)
        t += np.clip(distance, 0.03, 0.13)
        if step % STEPS_PER_COMPACTION == 0:
            amount[alive] = least
            going = np.flatnonzero((least > MIN_LIGHT) & (t < end))
            if not going.size:
                break
            alive, o, t, end, least = alive[going], o[:, going], t[going], end[going], least[going]
    np.clip(amount, 0, 1, out=amount)
    return amount * amount * (3 - 2 * amount)


def normals(solid: Solid, points: Array) -> Array:
    """Return the directions in which the solid's surface looks."""
    total = np.zeros_like(points)
    for corner in TETRAHEDRON:
        total += vec3(*corner) * solid(*(points + vec3(*corner) * 0.003))
    return normalize(total)


def ambient_occlusion(solid: Solid, points: Array, outward: Array) -> Array:
    """Return how open the space before the surface is, 0 to 1: little in folds and corners."""
    amount: Array = np.ones_like(points[0])
    for reach, weight in ((0.08, 1.6), (0.22, 0.9)):
        amount -= weight * np.maximum(reach - solid(*(points + outward * reach)), 0)
    np.clip(amount, 0.15, 1, out=amount)
    return amount
