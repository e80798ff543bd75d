"""Frames as pictures: of the pass and the part that are asked for.

Each pixel is traced once, and one on an edge, where the eye sees it, four times more. Rows are painted in
bands, so that a large frame takes little more memory than a small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from airflow_provider_renderbus.farm.pictures.formats import Tile
from airflow_provider_renderbus.farm.pictures.passes import Pass, depth_values, shadow_values
from airflow_provider_renderbus.farm.pictures.scene import Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_renderbus.farm.pictures.sdf import Array

ZOOM = 0.335  # half the picture's height, at distance 1 from the eye
PIXELS_PER_BAND = 1 << 15  # more no longer fit a processor's cache, and take twice the time
EDGE_THRESHOLD = 0.035  # difference to a neighbour, of 1, from which a pixel is on an edge
SAMPLE_OFFSETS = np.array([(-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375)], np.float32)
DITHER = np.random.default_rng(7).random((64, 64, 1), np.float32)  # breaks up steps of 8-bit colour


def render_frame(
    scene_name: str,
    frame: int,
    width: int,
    height: int,
    render_pass: Pass = Pass.BEAUTY,
    tile: Tile | None = None,
) -> Image.Image:
    """Paint a frame, or a part of it.

    :param scene_name: the scene's name, on which solid and colours depend.
    :param frame: the frame's number, on which the turn depends.
    :param width: of the frame, pixels.
    :param height: of the frame, pixels.
    :param render_pass: which pass.
    :param tile: the part that is painted, in place of the whole frame.
    :return: RGB, 8 bits a channel; of the depth pass grey, 16 bits. Always the same for the same arguments.
    """
    world = Scene(scene_name, frame)
    left, top, right, bottom = tile or Tile(0, 0, width, height)
    rows = max(PIXELS_PER_BAND // (right - left), 1)
    bands = (Tile(left, row, right, min(row + rows, bottom)) for row in range(top, bottom, rows))
    return Image.fromarray(
        np.concatenate([_pass_pixels(render_pass, _trace_band(world, width, height, b), b) for b in bands])
    )


def _trace_band(world: Scene, width: int, height: int, band: Tile) -> Array:
    """Return what :meth:`World.seen` sees in a band, shape (7, rows, columns), colours as display values.

    One pixel more on each side shows where its edges are.
    """
    left, top = max(band.left - 1, 0), max(band.top - 1, 0)
    grid = np.mgrid[top : min(band.bottom + 1, height), left : min(band.right + 1, width)].astype(np.float32)
    down, right = grid.reshape(2, -1)
    scale = 2 * ZOOM / height

    def trace(right: Array, down: Array) -> Array:
        seen = world.trace((right - (width - 1) / 2) * scale, ((height - 1) / 2 - down) * scale)
        seen[:6] = _tone_map(seen[:6])
        return seen

    seen = trace(right, down)
    edges = np.flatnonzero(_is_edge(seen[:3].reshape(3, *grid.shape[1:])))
    if edges.size:
        around = trace(
            (right[edges] + SAMPLE_OFFSETS[:, :1]).ravel(), (down[edges] + SAMPLE_OFFSETS[:, 1:]).ravel()
        )
        around = around.reshape(len(seen), len(SAMPLE_OFFSETS), edges.size)
        seen[:6, edges] = around[:6].mean(1)
        seen[6, edges] = np.minimum(seen[6, edges], around[6].min(0))
    top, left = band.top - top, band.left - left
    height, width = band.bottom - band.top, band.right - band.left
    return seen.reshape(len(seen), *grid.shape[1:])[:, top : top + height, left : left + width]


def _pass_pixels(shown: Pass, seen: Array, band: Tile) -> NDArray[np.uint8 | np.uint16]:
    """Return one pass of what was traced, as the numbers that stand in the file."""
    beauty, colour, distance = seen[:3], seen[3:6], seen[6]
    if shown is Pass.DEPTH:
        return depth_values(distance).astype(np.uint16)
    if shown is Pass.SHADOW:
        return np.rint(shadow_values(beauty, colour, distance) * 255).astype(np.uint8).transpose(1, 2, 0)
    down, right = np.arange(band.top, band.bottom), np.arange(band.left, band.right)
    grain = DITHER[down[:, None] % len(DITHER), right % len(DITHER)]
    light = beauty if shown is Pass.BEAUTY else colour
    return (light.transpose(1, 2, 0) * 255 + grain * 0.999).astype(np.uint8)


def _is_edge(colours: Array) -> NDArray[np.bool_]:
    edge = np.zeros(colours.shape[1:], bool)
    beside: Any = np.abs(np.diff(colours, axis=2)).max(0) > EDGE_THRESHOLD
    below: Any = np.abs(np.diff(colours, axis=1)).max(0) > EDGE_THRESHOLD
    edge[:, 1:] |= beside
    edge[:, :-1] |= beside
    edge[1:] |= below
    edge[:-1] |= below
    return edge


def _tone_map(light: Array) -> Array:
    """Return linear light as display values, 0 to 1, with Narkowicz's curve for highlights (2015)."""
    light = light * 0.66
    rolled = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return np.clip(rolled, 0, 1) ** (1 / 2.2)
