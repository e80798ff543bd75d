"""Renders one pass of a frame, or of one of its tiles, to an image.

Each pixel is traced once, a pixel on an edge four more times (anti-aliasing). Rows are rendered in bands, so
a large frame takes little more memory than a small one.
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

ZOOM = 0.335  # half the height of the picture at distance 1 from the camera
PIXELS_PER_BAND = 1 << 15  # more do not fit into the processor cache and take twice the time
EDGE_THRESHOLD = 0.035  # difference to a neighbour, 0 to 1, that makes a pixel an edge
SAMPLE_OFFSETS = np.array([(-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375)], np.float32)
DITHER = np.random.default_rng(7).random((64, 64, 1), np.float32)  # hides the steps between 8-bit colours


def render_frame(
    scene_name: str,
    frame: int,
    width: int,
    height: int,
    render_pass: Pass = Pass.BEAUTY,
    tile: Tile | None = None,
) -> Image.Image:
    """Render a frame or a tile.

    :param scene_name: name of the scene, which decides solid and colours.
    :param frame: frame number, which decides the turn.
    :param width: width of the frame in pixels.
    :param height: height of the frame in pixels.
    :param render_pass: the pass to render.
    :param tile: the tile to render instead of the whole frame.
    :return: RGB with 8 bits per channel, or 16-bit grey for the depth pass. Deterministic.
    """
    scene = Scene(scene_name, frame)
    left, top, right, bottom = tile or Tile(0, 0, width, height)
    rows = max(PIXELS_PER_BAND // (right - left), 1)
    bands = (Tile(left, row, right, min(row + rows, bottom)) for row in range(top, bottom, rows))
    pixels = [_pass_pixels(render_pass, _trace_band(scene, width, height, band), band) for band in bands]
    return Image.fromarray(np.concatenate(pixels))


def _trace_band(scene: Scene, width: int, height: int, band: Tile) -> Array:
    """Return :meth:`Scene.trace` of a band as shape (7, rows, columns), colours as display values.

    One more pixel on each side is traced to find the edges.
    """
    left, top = max(band.left - 1, 0), max(band.top - 1, 0)
    grid = np.mgrid[top : min(band.bottom + 1, height), left : min(band.right + 1, width)].astype(np.float32)
    down, right = grid.reshape(2, -1)
    scale = 2 * ZOOM / height

    def trace(right: Array, down: Array) -> Array:
        traced = scene.trace((right - (width - 1) / 2) * scale, ((height - 1) / 2 - down) * scale)
        traced[:6] = _tone_map(traced[:6])
        return traced

    traced = trace(right, down)
    edges = np.flatnonzero(_is_edge(traced[:3].reshape(3, *grid.shape[1:])))
    if edges.size:
        samples = trace(
            (right[edges] + SAMPLE_OFFSETS[:, :1]).ravel(), (down[edges] + SAMPLE_OFFSETS[:, 1:]).ravel()
        )
        samples = samples.reshape(len(traced), len(SAMPLE_OFFSETS), edges.size)
        traced[:6, edges] = samples[:6].mean(1)
        traced[6, edges] = np.minimum(traced[6, edges], samples[6].min(0))
    top, left = band.top - top, band.left - left
    height, width = band.bottom - band.top, band.right - band.left
    return traced.reshape(len(traced), *grid.shape[1:])[:, top : top + height, left : left + width]


def _pass_pixels(render_pass: Pass, traced: Array, band: Tile) -> NDArray[np.uint8 | np.uint16]:
    """Return one pass of a traced band as the values of the file."""
    beauty, colour, distance = traced[:3], traced[3:6], traced[6]
    if render_pass is Pass.DEPTH:
        return depth_values(distance).astype(np.uint16)
    if render_pass is Pass.SHADOW:
        return np.rint(shadow_values(beauty, colour, distance) * 255).astype(np.uint8).transpose(1, 2, 0)
    down, right = np.arange(band.top, band.bottom), np.arange(band.left, band.right)
    dither = DITHER[down[:, None] % len(DITHER), right % len(DITHER)]
    values = beauty if render_pass is Pass.BEAUTY else colour
    return (values.transpose(1, 2, 0) * 255 + dither * 0.999).astype(np.uint8)


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
    """Return linear light as display values, 0 to 1, with Narkowicz's ACES curve (2015)."""
    light = light * 0.66
    mapped = light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14)
    return np.clip(mapped, 0, 1) ** (1 / 2.2)
