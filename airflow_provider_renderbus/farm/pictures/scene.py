"""The world of a frame: a solid that turns over a glossy floor, a light, a backdrop.

In the world's space y is up, the floor is at y = 0 and the solid about :data:`CENTRE`. The solid is marched
in its own space, into which rays are turned.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_renderbus.farm.pictures.palettes import look_for
from airflow_provider_renderbus.farm.pictures.passes import fog_transmittance
from airflow_provider_renderbus.farm.pictures.ray_marching import (
    ambient_occlusion,
    dot,
    march,
    normalize,
    normals,
    soft_shadow,
    vec3,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_renderbus.farm.pictures.sdf import Array

FRAMES_PER_TURN = 24
TILT = 0.42  # radians by which the solid's axis leans to the camera
CAMERA, TARGET, CENTRE = vec3(0, 1.75, -4.6), vec3(0, 0.86, 0), vec3(0, 1, 0)
UP, MIRROR = vec3(0, 1, 0), vec3(1, -1, 1)
LIGHT_DIRECTION, FILL_DIRECTION = normalize(vec3(-0.55, 0.78, -0.42)), normalize(vec3(0.8, 0.25, -0.35))
LIGHT_COLOUR = vec3(1.0, 0.94, 0.85)
HORIZON = -0.001  # rays that fall less than this reach the floor only where the backdrop hides it


class Scene:
    """The world of a scene at a frame.

    :param scene: the scene's name, on which solid and colours depend.
    :param frame: the frame's number, on which the turn depends.
    """

    def __init__(self, scene: str, frame: int) -> None:
        look = look_for(scene)
        palette = look.palette
        self._solid = look.solid
        self._main, self._accent = vec3(*palette.main), vec3(*palette.accent)
        self._ground, self._sky = vec3(*palette.ground), vec3(*palette.sky)
        turn = look.start_angle + 2 * math.pi * (frame % FRAMES_PER_TURN) / FRAMES_PER_TURN
        cos, sin, lean_cos, lean_sin = math.cos(turn), math.sin(turn), math.cos(TILT), math.sin(TILT)
        turned = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        leant = np.array([[1, 0, 0], [0, lean_cos, -lean_sin], [0, lean_sin, lean_cos]])
        self._to_solid = (turned @ leant).astype(np.float32)
        self._light, self._fill, self._up = (
            self._to_solid @ way for way in (LIGHT_DIRECTION, FILL_DIRECTION, UP)
        )
        forward = normalize(TARGET - CAMERA)
        right = normalize(np.cross(UP, forward, axis=0))
        self._camera = np.hstack([right, np.cross(forward, right, axis=0), forward])

    def trace(self, right: Array, up: Array) -> Array:
        """Return what is seen through places in the picture.

        :param right: to the right of the picture's middle, at distance 1 from the eye.
        :param up: above its middle.
        :return: shape (7, n): linear red, green and blue; the same without the light's shadow; the distance,
            infinite where only the backdrop is seen.
        """
        rays = normalize(self._camera @ np.stack([right, up, np.ones_like(up)]))
        behind = self._backdrop(rays)
        origins = np.broadcast_to(self._to_solid @ (CAMERA - CENTRE), rays.shape)
        result = np.concatenate([behind, behind, np.full_like(rays[:1], np.inf)])
        solid = self._shade_solid(result, origins, self._to_solid @ rays)
        floor = np.flatnonzero((rays[1] < HORIZON) & ~solid)
        result[:, floor] = self._shade_floor(rays[:, floor])
        near = np.flatnonzero(np.isfinite(result[6]))
        back = np.tile(behind[:, near], (2, 1))
        result[:6, near] = back + (result[:6, near] - back) * fog_transmittance(result[6, near])
        result[:6] *= 1 - 0.9 * (right * right + up * up)
        return result

    def _backdrop(self, rays: Array) -> Array:
        colours: Array = self._sky * (1 - 0.55 * np.clip(rays[1] * 1.6 + 0.3, 0, 1))
        return colours

    def _shade_solid(self, result: Array, origins: Array, rays: Array) -> NDArray[np.bool_]:
        """Put the solid where rays in its space hit it, and return where they do.

        A result of three rows is a mirror image, which does without shadow and distance.
        """
        distance = march(self._solid, origins, rays)
        seen = np.isfinite(distance)
        if seen.any():
            found = np.flatnonzero(seen)
            rays, distance = rays[:, found], distance[found]
            points = origins[:, found] + rays * distance
            surface = self._shade_surface(points, rays, mirrored=len(result) == 3)  # noqa: PLR2004 - red, green and blue
            result[: len(surface), found] = surface
            if len(result) > len(surface):
                result[-1, found] = distance
        return seen

    def _shade_surface(self, points: Array, rays: Array, *, mirrored: bool) -> Array:
        """Return the colours of points on the solid, with the solid's shadow on itself and without.

        A mirror image has only those without.
        """
        outward = normals(self._solid, points)
        facing = np.clip(dot(outward, self._light), 0, 1)
        free = np.ones_like(facing) if mirrored else ambient_occlusion(self._solid, points, outward)
        band = np.clip(0.3 + 2.7 * np.sin(points[1] * 9 + points[0] * 2), 0, 0.9)
        base = self._main + (self._accent - self._main) * band
        above = dot(outward, self._up) * 0.5 + 0.5
        around = (self._sky * above + self._ground * (1 - above)) * 0.5
        filled = self._sky * (np.clip(dot(outward, self._fill), 0, 1) * 0.3)
        shine = np.clip(dot(outward, normalize(self._light - rays)), 0, 1) ** 48 * 0.9
        rim = np.clip(1 + dot(outward, rays), 0, 1) ** 4 * 0.6
        key = LIGHT_COLOUR * (base * 1.55 + shine) * facing
        soft = (base * (around + filled) + self._sky * rim) * free
        lit: Array = soft + key
        if mirrored:
            return lit
        shadow = soft_shadow(self._solid, points + outward * 0.01, self._light, 10)
        return np.concatenate([soft + key * shadow, lit])

    def _shade_floor(self, rays: Array) -> Array:
        """Return the floor with its mirror image: colours with and without shadow, and distance."""
        distance = -CAMERA[1] / rays[1]
        points = CAMERA + rays * distance
        origins = self._to_solid @ (points - CENTRE)
        under = 1 - 0.5 * np.exp(dot(points, points) * -1.3)
        shadow = soft_shadow(self._solid, origins, self._light, 7)
        key, soft = self._ground * LIGHT_COLOUR * 0.8, self._ground * (0.3 * under)
        mirrored = self._backdrop(rays * MIRROR)
        self._shade_solid(mirrored, origins, self._to_solid @ (rays * MIRROR))
        gloss = 0.08 + 0.5 * (1 + rays[1]) ** 4
        shown = [own + (mirrored - own) * gloss for own in (soft + key * shadow, soft + key)]
        return np.concatenate([*shown, distance[None]])
