"""A farm in a process of its own, with many tasks that wait."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_renderbus.farm import Farm, ManualClock
from dev.benchmarks.farm_load import SCENARIO, submitted

if TYPE_CHECKING:
    from pathlib import Path

_COMMON = {"frames": "1-24[1]", "width": "320", "height": "180"}
LAYERED_JSON = {
    "task_info": {"cg_id": "2000", "input_cg_file": "/mnt/shot.ma", "is_layer_rendering": "1"},
    "scene_info_render": {
        layer: {"renderable": "1", "is_default_camera": "1", "option": "", "common": _COMMON}
        for layer in ("beauty", "shadow")
    },
}


def fill(storage: Path, count: int) -> dict[str, list[int]]:
    """Make as many plain tasks as layered ones, and return their numbers.

    :param storage: the farm's folder.
    :param count: how many of each.
    """
    with closing(Farm(storage, ManualClock(), scenario=SCENARIO)) as farm:
        return {"plain": submitted(farm, count), "layered": submitted(farm, count, LAYERED_JSON)}


class FarmProcess:
    """The farm as a program; it lives in a ``with`` block.

    :param storage: the folder that was filled. The farm's time stands nearly still.
    """

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        self._port = 0
        self._scenario = storage.parent / "scenario.json"
        self._scenario.write_text(json.dumps(SCENARIO))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, at the port that it had before."""
        command = [sys.executable, "-m", "airflow_provider_renderbus.farm", "--speed", "0.0001"]
        command += ["--port", str(self._port), "--storage", str(self._storage)]
        command += ["--scenario", str(self._scenario)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._process.stdout.readline()
        self.connection: dict[str, Any] = json.loads((self._storage / "connections.json").read_text())[
            "renderbus_default"
        ]
        self._port = self.connection["port"]

    def stop(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.communicate()
