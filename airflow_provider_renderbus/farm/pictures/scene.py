"""The 3D scene of a frame: a solid that turns over a glossy floor, a light and a backdrop.

In world space y is up, the floor is at y = 0 and the solid about :data:`CENTRE`. Rays are rotated into object
space to march the solid.
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
TILT = 0.42  # tilt of the solid's axis towards the camera, in radians
CAMERA, TARGET, CENTRE = vec3(0, 1.75, -4.6), vec3(0, 0.86, 0), vec3(0, 1, 0)
UP, MIRROR = vec3(0, 1, 0), vec3(1, -1, 1)
LIGHT_DIRECTION, FILL_DIRECTION = normalize(vec3(-0.55, 0.78, -0.42)), normalize(vec3(0.8, 0.25, -0.35))
LIGHT_COLOUR = vec3(1.0, 0.94, 0.85)
HORIZON = -0.001  # a ray less steep than this reaches the floor only where fog hides it


class Scene:
    """The 3D scene of one frame.

    :param name: name of the scene, which decides solid and colours.
    :param frame: frame number, which decides the turn.
    """

    def __init__(self, name: str, frame: int) -> None:
        look = look_for(name)
        palette = look.palette
        self._solid = look.solid
        self._main, self._accent = vec3(*palette.main), vec3(*palette.accent)
        self._ground, self._sky = vec3(*palette.ground), vec3(*palette.sky)
        turn = look.start_angle + 2 * math.pi * (frame % FRAMES_PER_TURN) / FRAMES_PER_TURN
        cos, sin, tilt_cos, tilt_sin = math.cos(turn), math.sin(turn), math.cos(TILT), math.sin(TILT)
        rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        tilt = np.array([[1, 0, 0], [0, tilt_cos, -tilt_sin], [0, tilt_sin, tilt_cos]])
        self._to_object = (rotation @ tilt).astype(np.float32)
        self._light, self._fill, self._up = (
            self._to_object @ way for way in (LIGHT_DIRECTION, FILL_DIRECTION, UP)
        )
        forward = normalize(TARGET - CAMERA)
        right = normalize(np.cross(UP, forward, axis=0))
        self._camera = np.hstack([right, np.cross(forward, right, axis=0), forward])

    def trace(self, right: Array, up: Array) -> Array:
        """Trace one ray per point of the picture.

        :param right: distance to the right of the picture's centre, on the plane at distance 1 from the
            camera.
        :param up: distance above the centre.
        :return: shape (7, n): linear red, green and blue; the same without the shadow of the light; the
            distance from the camera, infinite for the backdrop.
        """
        rays = normalize(self._camera @ np.stack([right, up, np.ones_like(up)]))
        backdrop = self._backdrop(rays)
        origins = np.broadcast_to(self._to_object @ (CAMERA - CENTRE), rays.shape)
        result = np.concatenate([backdrop, backdrop, np.full_like(rays[:1], np.inf)])
        solid = self._shade_solid(result, origins, self._to_object @ rays)
        floor = np.flatnonzero((rays[1] < HORIZON) & ~solid)
        result[:, floor] = self._shade_floor(rays[:, floor])
        near = np.flatnonzero(np.isfinite(result[6]))
        fog = np.tile(backdrop[:, near], (2, 1))
        result[:6, near] = fog + (result[:6, near] - fog) * fog_transmittance(result[6, near])
        result[:6] *= 1 - 0.9 * (right * right + up * up)
        return result

    def _backdrop(self, rays: Array) -> Array:
        colours: Array = self._sky * (1 - 0.55 * np.clip(rays[1] * 1.6 + 0.3, 0, 1))
        return colours

    def _shade_solid(self, result: Array, origins: Array, rays: Array) -> NDArray[np.bool_]:
        """Write the colours of the solid into the result of the rays that hit it, and return which do.

        A result of three rows is a reflection, which needs neither shadow nor distance.
        """
        distance = march(self._solid, origins, rays)
        is_hit = np.isfinite(distance)
        if is_hit.any():
            hits = np.flatnonzero(is_hit)
            rays, distance = rays[:, hits], distance[hits]
            points = origins[:, hits] + rays * distance
            surface = self._shade_surface(points, rays, reflected=len(result) == 3)  # noqa: PLR2004 - red, green and blue
            result[: len(surface), hits] = surface
            if len(result) > len(surface):
                result[-1, hits] = distance
        return is_hit

    def _shade_surface(self, points: Array, rays: Array, *, reflected: bool) -> Array:
        """Return the colours of points on the solid, with and without the solid's shadow on itself.

        A reflection has only the colours without shadow.
        """
        normal = normals(self._solid, points)
        diffuse = np.clip(dot(normal, self._light), 0, 1)
        occlusion = np.ones_like(diffuse) if reflected else ambient_occlusion(self._solid, points, normal)
        band = np.clip(0.3 + 2.7 * np.sin(points[1] * 9 + points[0] * 2), 0, 0.9)
        base = self._main + (self._accent - self._main) * band
        upward = dot(normal, self._up) * 0.5 + 0.5
        ambient = (self._sky * upward + self._ground * (1 - upward)) * 0.5
        fill = self._sky * (np.clip(dot(normal, self._fill), 0, 1) * 0.3)
        specular = np.clip(dot(normal, normalize(self._light - rays)), 0, 1) ** 48 * 0.9
        rim = np.clip(1 + dot(normal, rays), 0, 1) ** 4 * 0.6
        key = LIGHT_COLOUR * (base * 1.55 + specular) * diffuse
        soft = (base * (ambient + fill) + self._sky * rim) * occlusion
        lit: Array = soft + key
        if reflected:
            return lit
        shadow = soft_shadow(self._solid, points + normal * 0.01, self._light, 10)
        return np.concatenate([soft + key * shadow, lit])

    def _shade_floor(self, rays: Array) -> Array:
        """Return the floor with its reflection: colours with and without shadow, and the distance."""
        distance = -CAMERA[1] / rays[1]
        points = CAMERA + rays * distance
        origins = self._to_object @ (points - CENTRE)
        contact = 1 - 0.5 * np.exp(dot(points, points) * -1.3)
        shadow = soft_shadow(self._solid, origins, self._light, 7)
        key, soft = self._ground * LIGHT_COLOUR * 0.8, self._ground * (0.3 * contact)
        reflection = self._backdrop(rays * MIRROR)
        self._shade_solid(reflection, origins, self._to_object @ (rays * MIRROR))
        gloss = 0.08 + 0.5 * (1 + rays[1]) ** 4
        colours = [own + (reflection - own) * gloss for own in (soft + key * shadow, soft + key)]
        return np.concatenate([*colours, distance[None]])
