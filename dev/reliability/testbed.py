"""The place of an experiment: a farm, a real Airflow, and proxies between and within them."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.auth import TIMESTAMP_TOLERANCE
from dev.harness.airflow_instance import AirflowInstance, connections_file_settings
from dev.harness.celery_airflow import CeleryAirflow
from dev.harness.embedded_farm import StockedFarm, settings_of
from dev.harness.processes import Programs
from dev.reliability.airflow_2 import Airflow2
from dev.reliability.http_proxy import Forward, HttpProxies, Response, Rule

PROJECT = Path(__file__).parents[2]
LINES = ("3.3", "3.0", "2.11")
"""Lines of Airflow. The first one is this interpreter's."""
CELERY = "celery"
"""Airflow 3.3 with Celery, on several machines."""
FRAMES = 4
COST = Decimal("0.04")
"""What a render of :func:`task_json` costs: a fixed price for each of its frames."""
RENDER_SECONDS = 600.0
"""Farm seconds after which a render has certainly ended."""
QUICK_TRIGGERER = {
    # Airflow takes a component for dead 15 s after its last heartbeat instead of 30 s. With fewer seconds a
    # component that is merely busy takes itself for dead.
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}
"""Environment variables with which Airflow notices soon that a triggerer was killed."""
QUICK_HEARTBEATS = {
    **QUICK_TRIGGERER,
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
}
"""The same for a scheduler too."""
_SCENARIO = {"account": {"balance": "100000"}, "renders": [{"cost": "0.01"}]}


def task_json(scene: str) -> dict[str, Any]:
    """Return the task.json of a small render of a scene, by which it is found on the farm."""
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


def airflow_class_of(line: str) -> type[AirflowInstance]:
    """Return the class that sets up an Airflow of a line."""
    if line == CELERY:
        return CeleryAirflow
    return Airflow2 if line.startswith("2.") else AirflowInstance


@dataclass(frozen=True)
class Render:
    """A scene in the farm's database.

    :param operations: how often each operation was carried out, e.g. submit, stop, start.
    """

    task_ids: tuple[int, ...] = ()
    state: str = "not submitted"
    cost: Decimal = Decimal(0)
    operations: Counter[str] = field(default_factory=Counter)


NOT_RENDERED = Render()


@dataclass
class Testbed:
    """A farm and an Airflow that is set up for experiments. They run while its ``with`` block lasts.

    :param speed: farm seconds that pass in a second; None for a farm whose time passes only by ``advance``.
    :param worker_rule: decides what happens to the requests of Airflow's workers to its API server.
    :param line: the line of Airflow, or CELERY.
    :param farm_class: Farm, for DAGs that upload their scenes.
    :param pictures: whether frames are pictures, so that each is another file.
    """

    __test__ = False  # no test of pytest's

    folder: Path
    dags: Path
    speed: float | None
    settings: Mapping[str, str] = field(default_factory=dict)
    worker_rule: Rule | None = None
    line: str = LINES[0]
    farm_class: type[Farm] = StockedFarm
    pictures: bool = False
    _clock_lead: float = field(default=0.0, init=False)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.programs = stack.enter_context(Programs(terminate_timeout=5.0))
            self.proxies = stack.enter_context(HttpProxies())
            self.start_farm()
            stack.callback(self.close_farm)
            self._connections: dict[str, Any] = {}
            self._connections_file = self.folder / "connections.json"
            self.connect("renderbus_default")
            self.client = stack.enter_context(Client(settings_of(self.farm.connection())))
            settings = {**connections_file_settings(self._connections_file), **self.settings}
            self.airflow = airflow_class_of(self.line)(
                self.folder / "airflow", self.dags, self.programs, settings, python_of(self.line)
            )
            if self.worker_rule:
                port = self.proxies.open(f"127.0.0.1:{self.airflow.port}", self.worker_rule)
                url = f"http://127.0.0.1:{port}/execution/"
                self.airflow.settings = {**settings, "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": url}
            stack.enter_context(self.airflow)
            self._exit_stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    def start_farm(self, port: int = 0) -> None:
        """Start the farm, for the first time or again after it was closed, on its port."""
        clock: dict[str, Any] = (
            {"clock": ManualClock(time.time(), lambda: time.time() + self._clock_lead)}
            if self.speed is None
            else {"speed": self.speed}
        )
        farm = self.farm_class(
            self.folder / "farm", scenario={**_SCENARIO, "pictures": self.pictures}, port=port, **clock
        )
        self.farm = farm.__enter__()

    def forward_late(self, forward: Forward) -> Response:
        """Forward a request to a farm without a speed, which does not accept its signature any more."""
        self._clock_lead = 2.0 * TIMESTAMP_TOLERANCE
        try:
            return forward()
        finally:
            self._clock_lead = 0.0

    def close_farm(self) -> None:
        """Stop the farm."""
        self.farm.close()

    def connect(self, conn_id: str, rule: Rule | None = None, **extra: Any) -> None:
        """Make an Airflow connection to the farm, with a rule through a proxy of its own, and more extra."""
        connection = self.farm.connection()
        connection["extra"] = {**connection["extra"], **extra}
        if rule:
            connection["port"] = self.proxies.open(self.farm.address, rule)
        self._connections[conn_id] = connection
        new = self._connections_file.with_suffix(".new")
        new.touch(0o600)
        new.write_text(json.dumps(self._connections))
        new.rename(self._connections_file)

    def renders(self) -> dict[str, Render]:
        """Return what was submitted to the farm, by scene."""
        pages = self.client.iter_pages(flows.task_pages())
        listed = sorted((task for page in pages for task in page.items), key=lambda task: task.id)
        # The list is as old as its oldest page: each task is queried again.
        tasks = self.client.run(flows.get_tasks(task.id for task in listed)) if listed else {}
        operations: dict[str, Counter[str]] = defaultdict(Counter)
        for record in task_records(self.client):
            for alias in json.loads(record["taskIds"]):
                operations[alias][record["operateType"]] += 1
        renders: dict[str, Render] = {}
        for task_id, task in tasks.items():
            scene = Path(task.scene_name or "").stem
            before = renders.get(scene, NOT_RENDERED)
            renders[scene] = Render(
                (*before.task_ids, task_id),
                task.status.name,
                before.cost + task.cost,
                before.operations + operations[task.alias or ""],
            )
        return renders


def task_records(client: Client) -> Iterator[dict[str, Any]]:
    """Yield the farm's records of operations, each with the aliases of its renders."""
    number, last = 1, 1
    while number <= last:
        page = client.send(calls.task_records(platform=2, page_num=number))
        yield from page.items
        number, last = number + 1, page.page_count
