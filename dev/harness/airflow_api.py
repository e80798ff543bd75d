"""The REST API of an Airflow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import httpx
import tenacity

from dev.harness.processes import ProgramError, Programs

_TERMINAL_RUN_STATES = ("success", "failed")


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, httpx.TransportError)


class AirflowApi:
    """An Airflow whose REST API is open to everybody on this machine.

    Its methods raise httpx.HTTPStatusError if a response is no success, and httpx.TransportError if there is
    none. A task instance is a mapping as the REST API returns it.
    """

    path: ClassVar[str] = "/api/v2"
    """The REST API's path."""
    run_fields: ClassVar[Mapping[str, Any]] = {"logical_date": None}
    mark_fields: ClassVar[Mapping[str, Any]] = {}
    """What it requires besides when a run is triggered, and when a task is marked."""
    programs: Programs
    """Its processes are among these."""
    sleep: Callable[[float], None] = staticmethod(time.sleep)
    """Waits between two attempts of a request."""
    _http: httpx.Client

    def get(self, path: str, **query: str | int) -> Any:
        """Read from the REST API."""
        return self._request("GET", f"{self.path}{path}", params=query)

    def get_all(self, path: str, field: str, **query: str | int) -> list[dict[str, Any]]:
        """Read all pages of a list, which is a field of the responses."""
        items: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=100, offset=len(items), **query)
            items += page[field]
            if not page[field] or len(items) >= page["total_entries"]:
                return items

    def post(self, path: str, **fields: Any) -> Any:
        """Post to the REST API."""
        return self._request("POST", f"{self.path}{path}", json=fields)

    def patch(self, path: str, **changes: Any) -> Any:
        """Change something through the REST API."""
        return self._request("PATCH", f"{self.path}{path}", json=changes)

    def delete(self, path: str) -> None:
        """Delete something through the REST API."""
        self.programs.raise_if_ended()
        self._http.delete(f"{self.path}{path}").raise_for_status()

    def unpause(self, dag_id: str, timeout: float = 60.0) -> None:
        """Wait until a DAG is parsed and unpause it, so that the run that is due is made at once.

        :raises ProgramError: its file cannot be imported, a process ended, or the time-out has passed.
        """
        self.programs.wait_until(f"the DAG {dag_id}", lambda: self._has(dag_id), timeout)
        self.patch(f"/dags/{dag_id}", is_paused=False)

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Trigger a run of an unpaused DAG; one that exists is left alone: the request was repeated.

        :param fields: further fields of the request.
        """
        fields = {"dag_run_id": run_id, "conf": dict(conf or {}), **self.run_fields, **fields}
        try:
            self.post(f"/dags/{dag_id}/dagRuns", **fields)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float) -> None:
        """Wait for the end of a DAG run.

        :raises ProgramError: a process ended, or the time-out has passed.
        """

        def has_ended() -> bool:
            return self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"] in _TERMINAL_RUN_STATES

        self.programs.wait_until(f"the end of {dag_id} {run_id}", has_ended, timeout, interval=1.0)

    def return_value(self, instance: Mapping[str, Any]) -> Any:
        """Return what a task instance has returned, None if nothing."""
        path = f"{_instance_path(instance)}/xcomEntries/return_value"
        try:
            return self.get(path, map_index=instance["map_index"], stringify="false")["value"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return None
            raise

    def set_task_state(self, instance: Mapping[str, Any], state: str) -> None:
        """Mark a task instance "failed" or "success"."""
        index = f"/{instance['map_index']}" if instance["map_index"] >= 0 else ""
        self.patch(f"{_instance_path(instance)}{index}", new_state=state, **self.mark_fields)

    def clear(self, dag_id: str, run_id: str, tasks: Iterable[tuple[str, int]]) -> None:
        """Clear task instances, by task id and map index, which is -1 if the task is not mapped."""
        task_ids = [task_id if index < 0 else [task_id, index] for task_id, index in tasks]
        fields = {"dag_run_id": run_id, "task_ids": task_ids, "only_failed": False, "dry_run": False}
        self.post(f"/dags/{dag_id}/clearTaskInstances", **fields)

    def _has(self, dag_id: str) -> bool:
        for error in self.get("/importErrors")["import_errors"]:
            raise ProgramError(f"{error['filename']} cannot be imported:\n{error['stack_trace']}")
        return any(dag["dag_id"] == dag_id for dag in self.get("/dags", limit=100)["dags"])

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        # On SQLite a request can fail because the database is locked; those made here can be repeated.
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_delay(30.0),
            wait=tenacity.wait_fixed(0.5),
            retry=tenacity.retry_if_exception(_is_transient),
            sleep=self.sleep,
            reraise=True,
        )
        return retrying(self._request_once, method, path, **arguments)

    def _request_once(self, method: str, path: str, **arguments: Any) -> Any:
        self.programs.raise_if_ended()
        response = self._http.request(method, path, **arguments)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            # Airflow 3.1 gives everybody a token, but takes no request without one.
            token = self._http.get("/auth/token").raise_for_status().json()["access_token"]
            self._http.headers["Authorization"] = f"Bearer {token}"
            response = self._http.request(method, path, **arguments)
        return response.raise_for_status().json()


def _instance_path(instance: Mapping[str, Any]) -> str:
    return f"/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}/taskInstances/{instance['task_id']}"
