"""Deferrable renders with transfers on Celery, while each server and machine is restarted once."""

from __future__ import annotations

import filecmp
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, cast

import psutil

from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.transfer.folder import STAGING_PREFIX
from dev.harness.celery_airflow import SERVERS, TRIGGERERS, WORKERS, CeleryAirflow
from dev.harness.postgres import Postgres, postgres_server
from dev.harness.processes import Program, Programs
from dev.reliability.crash_trial import CORRECT
from dev.reliability.report import Row
from dev.reliability.testbed import (
    CELERY,
    COST,
    FRAMES,
    NOT_RENDERED,
    PROJECT,
    QUICK_HEARTBEATS,
    Render,
    Testbed,
    task_json,
)

_DAG = "celery"
_CORRECT = f"{CORRECT}, {FRAMES} frames byte for byte"
_NOTHING = "no process, no staging folder"
_SETTINGS = {
    **QUICK_HEARTBEATS,
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
}
_DOWN_SECONDS = {"Redis": 15.0, "PostgreSQL": 6.0, "farm": 10.0}
"""How long each is away; the others are back as soon as they have started."""
_BETWEEN_SECONDS = 8.0
_STOP_TIMEOUT, _RUN_TIMEOUT = 180.0, 1500.0


def run(folder: Path, log: Callable[[str], None], *, renders: int = 60, speed: float = 3.0) -> list[Row]:
    """Make the rows of this case, in a new folder.

    :param speed: farm seconds that pass in a second; a render takes about 180 of them.
    """
    dags, shared = PROJECT / "dev" / "reliability" / "dags" / _DAG, folder / "shared"
    with ExitStack() as stack:
        programs = stack.enter_context(Programs())
        database = stack.enter_context(postgres_server(programs, folder / "postgres.log"))
        settings = _SETTINGS | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url}
        testbed = stack.enter_context(
            Testbed(folder, dags, speed, settings, line=CELERY, farm_class=Farm, pictures=True)
        )
        airflow = cast(CeleryAirflow, testbed.airflow)
        airflow.unpause(_DAG)
        stack.enter_context(airflow.restart_always())
        scenes = [f"celery-{index:02}" for index in range(renders)]
        airflow.trigger(_DAG, _DAG, {"renders": [_arguments(scene, shared) for scene in scenes]})
        testbed.programs.wait_until("the first renders", lambda: len(testbed.renders()) > 1, 300.0, 1.0)
        restarted = list(_restart_all(testbed, airflow, database, log))
        airflow.wait_for_run(_DAG, _DAG, _RUN_TIMEOUT)
        results = Counter(_results(testbed, scenes, shared))
        left = list(_leftovers(airflow, shared, folder))
    text = "; ".join(f"{count} times: {result}" for result, count in results.items())
    what = (f"restarted once: {', '.join(restarted)}", f"{renders} deferrable, with transfers")
    return [
        Row((*what, "results"), f"{renders} times: {_CORRECT}", text),
        Row((*what, "left behind"), _NOTHING, ", ".join(left) or _NOTHING),
    ]


def _arguments(scene: str, shared: Path) -> dict[str, Any]:
    """Return the arguments of a render, and write its scene."""
    path = shared / "project" / f"{scene}.blend"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(scene)
    description = task_json(scene)
    description["task_info"]["input_cg_file"] = str(path)
    return {
        "task_json": description,
        "assets": [str(path)],
        "download_folder": str(shared / "frames"),
    }


def _restart_all(
    testbed: Testbed, airflow: CeleryAirflow, database: Postgres, log: Callable[[str], None]
) -> Iterator[str]:
    """Restart one after the other, and yield the name of each."""

    def stop(program: Program, number: int) -> None:
        program.killed = True
        program.process.send_signal(number)
        program.process.wait(_STOP_TIMEOUT)

    def restart(server: Any, number: int, seconds: float) -> None:
        stop(server.program, number)
        time.sleep(seconds)
        server.start()

    def restart_farm(seconds: float) -> None:
        port = testbed.farm.connection()["port"]
        testbed.close_farm()
        time.sleep(seconds)
        testbed.start_farm(port)

    def restart_component(name: str) -> None:
        program = airflow.components[name]
        stop(program, signal.SIGTERM)
        testbed.programs.wait_until(
            f"the next {name}", lambda: airflow.components[name] is not program, _STOP_TIMEOUT
        )

    steps: dict[str, Callable[[], None]] = {
        "Redis": lambda: restart(airflow.redis, signal.SIGTERM, _DOWN_SECONDS["Redis"]),
        "PostgreSQL": lambda: restart(database, signal.SIGINT, _DOWN_SECONDS["PostgreSQL"]),
        "farm": lambda: restart_farm(_DOWN_SECONDS["farm"]),
        **{name: partial(restart_component, name) for name in (*SERVERS, *WORKERS, *TRIGGERERS)},
    }
    for name, step in steps.items():
        before = time.monotonic()
        step()
        log(f"{name} was restarted in {time.monotonic() - before:.0f} s")
        yield name
        time.sleep(_BETWEEN_SECONDS)


def _results(testbed: Testbed, scenes: list[str], shared: Path) -> Iterator[str]:
    """Yield the result of each render."""
    path = f"/dags/{_DAG}/dagRuns/{_DAG}/taskInstances"
    listed = testbed.airflow.get_all(path, "task_instances")
    instances = {each["map_index"]: each for each in listed if each["task_id"] == "render"}
    rendered = testbed.renders()
    for index, scene in enumerate(scenes):
        instance, render = instances[index], rendered.get(scene, NOT_RENDERED)
        result = testbed.airflow.return_value(instance) if instance["state"] == "success" else None
        yield ", ".join(_describe(render, result, testbed.farm.output_root, shared / "frames"))


def _describe(render: Render, result: Mapping[str, Any] | None, output: Path, frames: Path) -> Iterator[str]:
    submits, others = render.operations["submit"], render.operations.keys() - {"create", "submit"}
    yield f"{submits} submit{'s' * (submits != 1)}"
    yield "1 charge" if render.cost == COST else f"{render.cost} charged instead of {COST}"
    is_correct = result is not None and (result["render_task_id"], result["state"], result["cost"]) == (
        render.task_ids[-1],
        "FINISHED",
        str(COST),
    )
    yield "correct result" if is_correct else f"result {result}"
    files = [
        file for task_id in render.task_ids for file in output.glob(f"{task_id}_*/**/*") if file.is_file()
    ]
    same = [file for file in files if _is_same(file, frames / file.relative_to(output))]
    yield (
        f"{len(same)} frames byte for byte"
        if len(same) == len(files)
        else f"{len(same)} of {len(files)} frames"
    )
    if others:
        yield f"operations: {sorted(others)}"


def _is_same(file: Path, copy: Path) -> bool:
    return copy.is_file() and filecmp.cmp(file, copy, shallow=False)


def _leftovers(airflow: CeleryAirflow, shared: Path, folder: Path) -> Iterator[str]:
    """Yield what should not be there any more: processes of transfers, and their staging folders."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if any("renderbus-farm-transmitter" in word for word in command) and str(folder) in " ".join(command):
            yield f"process {process.pid}"
    for place in (shared, *(airflow.machine(name) for name in (*WORKERS, *TRIGGERERS))):
        for path in place.rglob(f"{STAGING_PREFIX}*"):
            yield str(path.relative_to(folder))
