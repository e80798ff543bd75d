"""Where an experiment takes place: a farm, a real Airflow, and relays between and within them."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.farm import Farm, ManualClock
from dev.harness.airflow_instance import AirflowInstance, connections_file_settings
from dev.harness.embedded_farm import settings_of
from dev.harness.processes import Programs
from dev.reliability.http_proxy import Relays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dev.reliability.http_proxy import Rule

PROJECT = Path(__file__).parents[2]
LINES = ("3.3", "3.0", "2.11")
"""Lines of Airflow. The first one is this interpreter's."""
FRAMES = 4
COST = Decimal("0.04")
"""What a render of :func:`task_json` costs: a fixed price for each of its frames."""
_SCENARIO = {"pictures": False, "account": {"balance": "100000"}, "renders": [{"cost": "0.01"}]}


def task_json(scene: str) -> dict[str, Any]:
    """Return the description of a small render.

    :param scene: its name, by which the render is found on the farm.
    """
    return {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {"cg_id": "2007", "input_cg_file": f"/mnt/{scene}.blend"},
        "scene_info_render": {
            "common": {
                "frames": f"1-{FRAMES}[1]",
                "width": "64",
                "height": "36",
                "camera_name": "Camera",
                "Render_Format": "PNG",
                "scene_name": [scene],
            }
        },
    }


def python_of(line: str) -> Path:
    """Return the interpreter of the environment that holds a line of Airflow."""
    return Path(sys.executable) if line == LINES[0] else PROJECT / f".venv-{line}" / "bin" / "python"


@dataclass(frozen=True)
class Render:
    """What the farm's books hold of a scene.

    :param numbers: of its tasks that were submitted, in order.
    :param state: the last one's state.
    :param cost: of all of them.
    :param orders: how often each kind of order was carried out, e.g. submit, stop, start.
    """

    numbers: tuple[int, ...]
    state: str
    cost: Decimal
    orders: Counter[str]


NOT_RENDERED = Render((), "not submitted", Decimal(0), Counter())


@dataclass
class Stage:
    """A farm and an Airflow that is set up for experiments. They run while its ``with`` block lasts.

    :param folder: a new folder for all of it.
    :param dags: the folder of the DAGs.
    :param speed: farm seconds that pass in a second; None for a farm whose time passes only when it is told.
    :param settings: environment variables for Airflow.
    :param worker_rule: decides what becomes of the requests that Airflow's workers send its API server.
    :param python: the interpreter of the environment that holds Airflow.
    :param kind: what sets up an Airflow of its line.
    """

    folder: Path
    dags: Path
    speed: float | None
    settings: Mapping[str, str] = field(default_factory=dict)
    worker_rule: Rule | None = None
    python: Path = Path(sys.executable)
    kind: type[AirflowInstance] = AirflowInstance

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self.programs = ends.enter_context(Programs(terminate_timeout=5.0))
            self.relays = ends.enter_context(Relays())
            clock: dict[str, Any] = (
                {"clock": ManualClock(time.time())} if self.speed is None else {"speed": self.speed}
            )
            self.farm = ends.enter_context(Farm(self.folder / "farm", scenario=_SCENARIO, **clock))
            self._connections: dict[str, Any] = {}
            self._connections_file = self.folder / "connections.json"
            self.connect("renderbus_default")
            self.client = ends.enter_context(Client(settings_of(self.farm.connection())))
            settings = {**connections_file_settings(self._connections_file), **self.settings}
            self.airflow = self.kind(self.folder / "airflow", self.dags, self.programs, settings, self.python)
            if self.worker_rule:
                port = self.relays.open(f"127.0.0.1:{self.airflow.port}", self.worker_rule)
                through_relay = {
                    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/"
                }
                self.airflow.settings = {**self.airflow.settings, **through_relay}
            ends.enter_context(self.airflow)
            self._ends = ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def connect(self, conn_id: str, rule: Rule | None = None) -> int:
        """Make a connection to the farm, and return its port.

        :param conn_id: its id in Airflow.
        :param rule: decides what becomes of its requests, in a relay of its own.
        """
        connection = self.farm.connection()
        if rule:
            connection["port"] = self.relays.open(self.farm.address, rule)
        self._connections[conn_id] = connection
        new = self._connections_file.with_suffix(".new")
        new.touch(0o600)
        new.write_text(json.dumps(self._connections))
        new.rename(self._connections_file)
        port: int = connection["port"]
        return port

    def renders(self) -> dict[str, Render]:
        """Return what the farm's books hold, by scene: only what was submitted is listed."""
        pages = self.client.iter_pages(flows.task_pages())
        listed = sorted((task for page in pages for task in page.items), key=lambda task: task.id)
        # The list is as old as its oldest page: each task is asked for anew.
        tasks = self.client.run(flows.get_tasks(task.id for task in listed))
        orders: dict[str, Counter[str]] = defaultdict(Counter)
        for record in self._records():
            for alias in json.loads(record["taskIds"]):
                orders[alias][record["operateType"]] += 1
        found: dict[str, Render] = {}
        for number, task in tasks.items():
            scene = Path(task.scene_name or "").stem
            before = found.get(scene, NOT_RENDERED)
            found[scene] = Render(
                (*before.numbers, number),
                task.status.name,
                before.cost + task.cost,
                before.orders + orders[task.alias or ""],
            )
        return found

    def _records(self) -> Iterator[dict[str, Any]]:
        number, last = 1, 1
        while number <= last:
            page = self.client.send(calls.task_records(platform=2, page_num=number))
            yield from page.items
            number, last = number + 1, page.page_count
