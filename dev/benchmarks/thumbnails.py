"""Measures what a thumbnail costs a worker, compared with Pillow and OpenEXR alone. See docs/benchmarks.md.

The frames are of 3,840 by 2,160 pixels, with some noise, as a renderer's have.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from PIL import Image

from airflow_provider_renderbus.transfer.thumbnail_program import make_thumbnail
from dev.benchmarks.figure import Figure

_WIDTH, _HEIGHT = 3840, 2160
_ROUNDS = 5
_SIZE = 640, 640


def measure() -> Iterator[Figure]:
    """Measure CPU and size."""
    with tempfile.TemporaryDirectory() as folder:
        pixels = _frame()
        png, exr = Path(folder) / "frame.png", Path(folder) / "frame.exr"
        Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8)).save(png)
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, {"RGB": pixels.astype(np.float16)}) as file:
            file.write(str(exr))
        yield from _compare("PNG", png, "Pillow's own", _shrink_png, 1.2)
        yield from _compare("EXR", exr, "reading it by OpenEXR", _read_exr, 2.5)


def _compare(
    kind: str, path: Path, baseline: str, read: Callable[[Path], None], most: float
) -> Iterator[Figure]:
    ours, alone = _cpu(partial(_ours, path)), _cpu(partial(read, path))
    yield Figure(f"seconds of CPU for the thumbnail of a 4K {kind}", ours, 0.5, "below")
    yield Figure(f"times the CPU of {baseline}", ours / alone, most, detail=f"{alone:.3f} s")
    yield Figure("KB of it", len(_ours(path)) / 1000, 100, "below")


def _frame() -> Any:
    rows, columns = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    grey = np.sin(columns / 97) * np.cos(rows / 61) * 0.5 + 0.5
    noise = np.random.default_rng(1).random((_HEIGHT, _WIDTH, 3), dtype=np.float32)
    return np.stack([grey, grey * 0.6 + 0.1, 1 - grey], -1) + noise * 0.02


def _ours(path: Path) -> bytes:
    with path.open("rb") as file:
        return make_thumbnail(file)


def _shrink_png(path: Path) -> None:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail(_SIZE)
    picture.save(io.BytesIO(), "JPEG", quality=82)


def _read_exr(path: Path) -> None:
    file = OpenEXR.InputFile(str(path))
    file.channels(["R", "G", "B"])
    file.close()


def _cpu(call: Callable[[], object]) -> float:
    """Return the least seconds of CPU of some rounds."""
    seconds = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return min(seconds)
