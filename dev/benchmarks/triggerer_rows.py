"""Puts the rows of deferred task instances into Airflow's database, in a process with its settings.

Reads JSON: dag_id, run_id, the trigger's classpath, the kwargs of each task instance's trigger by map index,
and the path that LagTrigger writes to.
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


def add_rows(dag_id: str, run_id: str, classpath: str, kwargs: list[dict[str, Any]], lag_file: str) -> None:
    """Make a run of a paused DAG whose task instances are all deferred."""
    now = datetime.now(UTC)
    with create_session() as session:
        run = trigger_dag(dag_id, run_id=run_id, triggered_by=DagRunTriggeredByType.TEST, session=session)
        if run is None:
            raise SystemExit(f"no run of {dag_id} was made")
        run.state = DagRunState.RUNNING
        run.start_date = now
        for instance in session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id):
            if instance.map_index >= 0:
                trigger = Trigger(classpath, kwargs[instance.map_index])
            else:
                trigger = Trigger("dev.benchmarks.triggers.LagTrigger", {"path": lag_file})
            session.add(trigger)
            session.flush()
            instance.state = TaskInstanceState.DEFERRED
            instance.trigger_id = trigger.id
            instance.next_method = "execute_complete"
            instance.next_kwargs = {}
            instance.start_date = now
            instance.try_number = 1


if __name__ == "__main__":
    add_rows(**json.load(sys.stdin))
