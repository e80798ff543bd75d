"""Puts the rows of deferred task instances into Airflow's database: run by dev.benchmarks.triggerer.

``python -m dev.benchmarks.triggerer_rows ARGUMENTS``, the arguments as JSON: dag_id, run_id, the trigger's
classpath, the kwargs of each task instance's trigger by map index, and the path that LoopTrigger writes to.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from airflow.api.common.trigger_dag import trigger_dag
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType


def fill(dag_id: str, run_id: str, classpath: str, kwargs: list[dict[str, Any]], watch: str) -> None:
    """Make a run of a paused DAG whose task instances are all deferred."""
    now = datetime.now(UTC)
    with create_session() as session:
        run = trigger_dag(dag_id, run_id=run_id, triggered_by=DagRunTriggeredByType.TEST, session=session)
        if run is None:
            raise SystemExit(f"no run of {dag_id} was made")
        run.state = DagRunState.RUNNING
        run.start_date = now
        instances = session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id)
        for instance in instances:
            waits = instance.map_index >= 0
            made = (
                Trigger(classpath, kwargs[instance.map_index])
                if waits
                else Trigger("dev.benchmarks.triggerer_parts.LoopTrigger", {"path": watch})
            )
            session.add(made)
            session.flush()
            instance.state = TaskInstanceState.DEFERRED
            instance.trigger_id = made.id
            instance.next_method = "execute_complete"
            instance.next_kwargs = {}
            instance.start_date = now
            instance.try_number = 1


if __name__ == "__main__":
    fill(**json.load(sys.stdin))
