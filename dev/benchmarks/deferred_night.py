"""A farm and a DAG of thousands of deferred renders, for what measures or ends them in a real Airflow."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dev.benchmarks.farm import SCENARIO, open_farm, submit_tasks
from dev.harness.airflow_instance import AirflowInstance
from dev.harness.embedded_farm import CONNECTION_ID, EmbeddedFarm

DAG_ID = "night"
RENDER_TRIGGER = "airflow_provider_renderbus.triggers.tasks.RenderbusTaskTrigger"
_ROOT = Path(__file__).parents[2]


def prepare(folder: Path, dag: str, count: int) -> tuple[EmbeddedFarm, list[int], Path]:
    """Return a farm that is not started, the ids of its renders, and a folder with the DAG.

    :param dag: the text of its file, with `{ids}` for the ids.
    """
    farm = EmbeddedFarm(folder / "farm", folder / "farm.log", SCENARIO)
    with open_farm(farm.storage) as (_, client):
        ids = submit_tasks(client, count)
    dags = folder / "dags"
    dags.mkdir()
    (dags / "night.py").write_text(dag.format(ids=ids))
    return farm, ids, dags


def settings(farm: EmbeddedFarm, count: int, capacity: int) -> dict[str, str]:
    """Return the settings of an Airflow for a farm that was started.

    :param capacity: triggers of each triggerer.
    """
    return {
        "PYTHONPATH": str(_ROOT),
        f"AIRFLOW_CONN_{CONNECTION_ID.upper()}": json.dumps(farm.connection),
        "AIRFLOW__TRIGGERER__CAPACITY": str(capacity),
        "AIRFLOW__CORE__MAX_MAP_LENGTH": str(count),
    }


def triggers(ids: Sequence[int], poll_interval: float, target_state: int, **others: Any) -> list[Any]:
    """Return the arguments of this provider's trigger for each render."""
    common = {
        "renderbus_conn_id": CONNECTION_ID,
        "target_states": [target_state],
        "failed_states": None,
        "poll_interval": poll_interval,
        "deadline": time.time() + 86_400,
        **others,
    }
    return [{**common, "render_task_ids": [task_id]} for task_id in ids]


def defer_all(
    airflow: AirflowInstance, kwargs: list[Any], classpath: str = RENDER_TRIGGER, lag_file: str = ""
) -> None:
    """Make a run whose task instances are deferred with a trigger each. See `triggerer_rows`."""
    rows = {
        "dag_id": DAG_ID,
        "run_id": DAG_ID,
        "classpath": classpath,
        "kwargs": kwargs,
        "lag_file": lag_file,
    }
    command = [str(airflow.python), "-m", "dev.benchmarks.triggerer_rows"]
    environment = airflow.environment()
    subprocess.run(command, input=json.dumps(rows), text=True, check=True, cwd=_ROOT, env=environment)
