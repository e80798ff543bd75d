"""Ray marching (sphere tracing) with numpy: each step advances the rays by the distance to the solid.

Points and directions are 32-bit float arrays of shape (3, n); directions have length 1. All are in object
space, where the solid fits in a sphere of radius 1 about the origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.pictures.sdf import Array, Solid

EPSILON = 0.002
MAX_STEPS = 56
MAX_SHADOW_STEPS = 32
MIN_LIGHT = 0.01  # a darker ray ends
STEPS_PER_COMPACTION = 4  # to drop the ended rays costs about as much as a step
TETRAHEDRON = ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1))


def vec3(*values: float) -> Array:
    """Return a vector of shape (3, 1)."""
    return np.array(values, np.float32)[:, None]


def dot(a: Array, b: Array) -> Array:
    """Return the dot products."""
    product: Array = (a * b).sum(0)
    return product


def normalize(vectors: Array) -> Array:
    """Return the vectors scaled to length 1."""
    normalized: Array = vectors / np.sqrt(dot(vectors, vectors))
    return normalized


def intersect_sphere(origins: Array, directions: Array, radius: float) -> tuple[Array, Array]:
    """Return the distances at which each ray enters and leaves a sphere about the origin; -1 if it misses."""
    middle = -dot(origins, directions)
    square = middle * middle - dot(origins, origins) + radius * radius
    half = np.sqrt(np.maximum(square, 0))
    return np.where(square > 0, middle - half, -1), np.where(square > 0, middle + half, -1)


def march(solid: Solid, origins: Array, directions: Array) -> Array:
    """Return the distance to the solid along each ray, infinite if the ray misses it."""
    enter, leave = intersect_sphere(origins, directions, 1.02)
    distances = np.full_like(enter, np.inf)
    indices = np.flatnonzero(leave > 0)
    o, d, t, end = origins[:, indices], directions[:, indices], np.maximum(enter[indices], 0), leave[indices]
    for step in range(1, MAX_STEPS + 1):
        distance = solid(*(o + d * t))
        near = distance < EPSILON
        t += np.where(near, 0, distance)  # a ray that has hit stays until it is dropped
        ended = near | (t > end)
        if step % STEPS_PER_COMPACTION == 0 or np.count_nonzero(ended) * 4 > ended.size:
            distances[indices[near]] = t[near]
            active = np.flatnonzero(~ended)
            if not active.size:
                break
            indices, o, d, t, end = indices[active], o[:, active], d[:, active], t[active], end[active]
    return distances


def soft_shadow(solid: Solid, points: Array, direction: Array, sharpness: float) -> Array:
    """Return the light that reaches points past the solid, 0 to 1.

    :param direction: direction of the light, shape (3, 1).
    :param sharpness: sharpness of the shadow's edge; a lower value gives a wider penumbra.
    """
    enter, leave = intersect_sphere(points, direction, 1.4)
    light = np.ones_like(enter)
    indices = np.flatnonzero(leave > 0)
    o, t, end = points[:, indices], np.maximum(enter[indices], 0.03), leave[indices]
    darkest = np.ones_like(t)
    for step in range(1, MAX_SHADOW_STEPS + 1):
        distance = solid(*(o + direction * t))
        np.minimum(darkest, sharpness * distance / t, out=darkest)
        t += np.clip(distance, 0.03, 0.13)
        if step % STEPS_PER_COMPACTION == 0:
            light[indices] = darkest
            active = np.flatnonzero((darkest > MIN_LIGHT) & (t < end))
            if not active.size:
                break
            indices, o, t, end, darkest = (
                indices[active],
                o[:, active],
                t[active],
                end[active],
                darkest[active],
            )
    np.clip(light, 0, 1, out=light)
    return light * light * (3 - 2 * light)


def normals(solid: Solid, points: Array) -> Array:
    """Return the surface normals of the solid at points."""
    total = np.zeros_like(points)
    for corner in TETRAHEDRON:
        total += vec3(*corner) * solid(*(points + vec3(*corner) * 0.003))
    return normalize(total)


def ambient_occlusion(solid: Solid, points: Array, normal: Array) -> Array:
    """Return the ambient light at the surface, 0 to 1; folds and corners are darker."""
    amount: Array = np.ones_like(points[0])
    for reach, weight in ((0.08, 1.6), (0.22, 0.9)):
        amount -= weight * np.maximum(reach - solid(*(points + normal * reach)), 0)
    np.clip(amount, 0.15, 1, out=amount)
    return amount
