"""The context in which Airflow runs a task, as far as this provider uses it."""

from __future__ import annotations

from typing import Any


class TaskInstance:
    """Keeps what is pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_first_reschedule_date(self, _: Any) -> None:
        return None


def context() -> Any:
    """Return the context of a first try."""
    return {"ti": TaskInstance()}
