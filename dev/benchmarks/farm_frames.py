"""CPU seconds that a frame of the embedded farm takes: painted, written and with its thumbnail.

``python -m dev.benchmarks.farm_frames [--check]``. Each figure is the median over scenes that between them
show every solid of the farm, of the time that this process spends on its CPUs, other threads included.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.farm.pictures.frame_renderer import FrameRenderer
from airflow_provider_renderbus.farm.pictures.palettes import look_for
from airflow_provider_renderbus.farm.pictures.task_json import NO_JOB, Job
from dev.benchmarks import report

LIMIT = 0.15
"""CPU seconds that a frame of 320x180 may take at most."""
FRAMES = 3
CASES: dict[str, dict[str, Any]] = {
    "320x180 PNG": {"width": 320, "height": 180},
    "320x180 JPEG": {"width": 320, "height": 180, "ending": "jpg"},
    "320x180 TIFF": {"width": 320, "height": 180, "ending": "tif"},
    "320x180 shadow": {"width": 320, "height": 180, "layer": "shadow"},
    "320x180 depth": {"width": 320, "height": 180, "layer": "depth"},
    "1280x720 PNG": {"width": 1280, "height": 720},
    "1920x1080 PNG": {"width": 1920, "height": 1080},
}


def scenes() -> list[str]:
    """A scene for each solid."""
    return list({look_for(name).solid: name for name in map("shot {}".format, range(100))}.values())


def seconds(studio: FrameRenderer, job: Job, frame: int) -> float:
    start = time.process_time()
    studio.submit(job, (frame,)).result()
    return time.process_time() - start


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        studio = FrameRenderer(Path(folder), synchronous=True)
        rows = []
        for name, fields in CASES.items():
            taken = [
                seconds(studio, replace(NO_JOB, scene=scene, **fields), frame)
                for scene in scenes()
                for frame in range(FRAMES)
            ]
            median = statistics.median(taken)
            met = "" if not name.startswith("320x180") or median <= LIMIT else report.MISSED
            rows.append({"case": name, "median": median, "most": max(taken), "met": met})
    return rows


def main() -> int:
    options = report.parser(__doc__).parse_args()
    rows = measure()
    print(f"{'':16}{'median':>8}{'most':>8}   CPU seconds a frame")
    for row in rows:
        print(f"{row['case']:16}{row['median']:8.3f}{row['most']:8.3f}   {row['met']}")
    print(f"All figures: {report.keep(options.results, 'farm_frames', {'figures': rows})}")
    return int(options.check and any(row["met"] == report.MISSED for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
