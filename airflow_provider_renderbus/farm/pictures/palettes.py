"""Palettes and looks: the solid and the colours of a scene, chosen by the scene's name."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from airflow_provider_renderbus.farm.pictures.sdf import SOLIDS, Solid

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a scene: linear red, green and blue, 0 to 1.

    :param main: colour of the solid.
    :param accent: colour of the bands on the solid.
    :param ground: colour of the floor.
    :param sky: colour of the backdrop, into which the floor fades.
    """

    main: Colour
    accent: Colour
    ground: Colour
    sky: Colour


@dataclass(frozen=True, slots=True)
class Look:
    """The solid and the palette of a scene, and the start angle of its turn in radians."""

    solid: Solid
    palette: Palette
    start_angle: float


PALETTES = (
    Palette((0.85, 0.25, 0.10), (0.98, 0.72, 0.30), (0.30, 0.36, 0.42), (0.55, 0.68, 0.78)),  # clay, morning
    Palette((0.03, 0.38, 0.42), (0.95, 0.62, 0.30), (0.62, 0.50, 0.40), (0.92, 0.78, 0.62)),  # teal, sand
    Palette(
        (0.62, 0.10, 0.28), (0.98, 0.55, 0.50), (0.42, 0.30, 0.42), (0.80, 0.62, 0.72)
    ),  # raspberry, dusk
    Palette((0.95, 0.40, 0.03), (0.98, 0.80, 0.42), (0.10, 0.14, 0.26), (0.16, 0.26, 0.46)),  # amber, night
    Palette((0.10, 0.26, 0.72), (0.42, 0.80, 0.95), (0.60, 0.62, 0.66), (0.88, 0.90, 0.93)),  # cobalt, snow
    Palette((0.22, 0.50, 0.14), (0.80, 0.86, 0.36), (0.36, 0.30, 0.22), (0.72, 0.66, 0.52)),  # leaf, earth
    Palette(
        (0.34, 0.16, 0.62), (0.80, 0.55, 0.95), (0.14, 0.13, 0.24), (0.30, 0.26, 0.48)
    ),  # violet, evening
)


SALT = b"look31"  # chosen so that the three shots of the example DAG differ


def look_for(scene: str) -> Look:
    """Return the look of a scene. The same name always gives the same look."""
    digest = blake2b(scene.encode(errors="replace"), digest_size=3, person=SALT).digest()
    return Look(SOLIDS[digest[0] % len(SOLIDS)], PALETTES[digest[1] % len(PALETTES)], digest[2] / 41)
