"""Frames as pictures of 8 bits a channel.

Each pixel is traced once, and one on an edge, where the eye sees it, four times more. Rows are painted in
bands, so that a large frame takes little more memory than a small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from airflow_provider_renderbus.farm.world import World

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_renderbus.farm.solids import Array

ZOOM = 0.335  # half the picture's height, at distance 1 from the eye
PIXELS_A_BAND = 1 << 16
EDGE = 0.035  # difference to a neighbour, of 1, from which a pixel is on an edge
WITHIN = np.array([(-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375)], np.float32)
GRAIN = np.random.default_rng(7).random((64, 64, 1), np.float32)  # breaks up steps of 8-bit colour


def paint(scene: str, frame: int, width: int, height: int) -> Image.Image:
    """Paint a frame.

    :param scene: the scene's name, on which solid and colours depend.
    :param frame: the frame's number, on which the turn depends.
    :param width: pixels.
    :param height: pixels.
    :return: RGB, 8 bits a channel; always the same for the same arguments.
    """
    world = World(scene, frame)
    rows = max(PIXELS_A_BAND // width, 1)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = _band(world, width, height, top, bottom)
    return Image.fromarray(pixels)


def _band(world: World, width: int, height: int, top: int, bottom: int) -> NDArray[np.uint8]:
    """Return rows of the picture. One row more on either side shows where their edges are."""
    first, last = max(top - 1, 0), min(bottom + 1, height)
    down, right = (part.ravel() for part in np.mgrid[first:last, :width].astype(np.float32))
    scale = 2 * ZOOM / height

    def trace(right: Array, down: Array) -> Array:
        return _developed(world.colours((right - (width - 1) / 2) * scale, ((height - 1) / 2 - down) * scale))

    colours = trace(right, down)
    edges = np.flatnonzero(_is_edge(colours.reshape(3, last - first, width)))
    if edges.size:
        around = trace((right[edges] + WITHIN[:, :1]).ravel(), (down[edges] + WITHIN[:, 1:]).ravel())
        colours[:, edges] = around.reshape(3, len(WITHIN), edges.size).mean(1)
    band = colours.reshape(3, last - first, width)[:, top - first : bottom - first].transpose(1, 2, 0)
    grain = GRAIN[np.arange(top, bottom)[:, None] % len(GRAIN), np.arange(width) % len(GRAIN)]
    return (band * 255 + grain * 0.999).astype(np.uint8)


def _is_edge(colours: Array) -> NDArray[np.bool_]:
    edge = np.zeros(colours.shape[1:], bool)
    beside: Any = np.abs(np.diff(colours, axis=2)).max(0) > EDGE
    below: Any = np.abs(np.diff(colours, axis=1)).max(0) > EDGE
    edge[:, 1:] |= beside
    edge[:, :-1] |= beside
    edge[1:] |= below
    edge[:-1] |= below
    return edge


def _developed(light: Array) -> Array:
    """Return linear light as display values, 0 to 1, with Narkowicz's curve for highlights (2015)."""
    light = light * 0.66
    rolled = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return np.clip(rolled, 0, 1) ** (1 / 2.2)
