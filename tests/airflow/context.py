"""The parts of Airflow's task context that the provider uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tests.airflow_version import LINE


class TaskInstance:
    """A task instance that records its XComs.

    `rescheduled` is the time of the first reschedule of this try, in the context of Airflow 3 only.
    """

    dag_id, run_id, task_id, map_index = "night", "run", "render", -1
    max_tries = 2
    rescheduled: datetime | None = None

    def __init__(self, try_number: int = 1) -> None:
        self.try_number = try_number
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    if LINE >= (3, 0):

        def get_first_reschedule_date(self, _: Any) -> datetime | None:
            return self.rescheduled


class StateStore(dict[str, Any]):
    """Airflow's task state store."""

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        assert retention == timedelta.max  # Airflow's NEVER_EXPIRE
        self[key] = value


def context(try_number: int = 1) -> Any:
    """Return the context of a try."""
    return {
        "ti": TaskInstance(try_number),
        "task": SimpleNamespace(retries=2),
        "dag_run": SimpleNamespace(run_after=datetime(2026, 1, 1, tzinfo=UTC)),
    }
