"""What is asked of an Airflow through its REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import tenacity

from dev.harness.processes import ProgramError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dev.harness.processes import Programs

# States of a DAG run.
_ENDED = ("success", "failed")


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, httpx.TransportError)


class AirflowApi:
    """An Airflow whose REST API is open to everybody on this machine."""

    api: ClassVar[str] = "/api/v2"
    """The REST API's path."""
    for_run: ClassVar[Mapping[str, Any]] = {"logical_date": None}
    for_mark: ClassVar[Mapping[str, Any]] = {}
    """What it wants to be told besides when a run is started, and when a task is marked."""
    programs: Programs
    """Its processes are among these."""
    _http: httpx.Client

    def get(self, path: str, **parameters: str | int) -> Any:
        """Read from the REST API.

        :param path: below :attr:`api`.
        :param parameters: of the query.
        :raises httpx.HTTPStatusError: the answer is not a success.
        :raises httpx.TransportError: there is no answer.
        """
        return self._ask("GET", f"{self.api}{path}", params=parameters)

    def pages(self, path: str, field: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Read all pages of a list from the REST API. Raises what :meth:`get` does.

        :param path: below :attr:`api`.
        :param field: which field of an answer holds the list.
        :param parameters: of the query.
        """
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=100, offset=len(found), **parameters)
            found += page[field]
            if not page[field] or len(found) >= page["total_entries"]:
                return found

    def post(self, path: str, **fields: Any) -> Any:
        """Post to the REST API. Raises what :meth:`get` does.

        :param path: below :attr:`api`.
        :param fields: of the body.
        """
        return self._ask("POST", f"{self.api}{path}", json=fields)

    def patch(self, path: str, **changes: Any) -> Any:
        """Change something through the REST API. Raises what :meth:`get` does."""
        return self._ask("PATCH", f"{self.api}{path}", json=changes)

    def unpause(self, dag_id: str, seconds: float = 60.0) -> None:
        """Wait until a DAG is there and unpause it, so that the run that is due is made at once.

        :param dag_id: the DAG.
        :param seconds: how long its file may take to be parsed.
        :raises ProgramError: its file cannot be imported, a process ended, or the time is over.
        """
        self.programs.wait_until(f"the DAG {dag_id}", lambda: self._has(dag_id), seconds)
        self.patch(f"/dags/{dag_id}", is_paused=False)

    def trigger(self, dag_id: str, run_id: str | None = None, conf: Mapping[str, Any] | None = None) -> None:
        """Start a run of a DAG, which is unpaused. Raises what :meth:`get` does.

        :param dag_id: the DAG.
        :param run_id: a name of the run's own: by it a request is known that failed after it was carried out.
        :param conf: what the run is given.
        """
        try:
            named = {} if run_id is None else {"dag_run_id": run_id}
            self.post(f"/dags/{dag_id}/dagRuns", **named, conf=dict(conf or {}), **self.for_run)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float) -> None:
        """Wait for the end of a DAG run.

        :param dag_id: the DAG.
        :param run_id: its run.
        :param seconds: how long it may take.
        :raises ProgramError: a process ended, or the time is over.
        """

        def has_ended() -> bool:
            return self.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"] in _ENDED

        self.programs.wait_until(f"the end of {dag_id} {run_id}", has_ended, seconds, pause=1.0)

    def returned(self, instance: Mapping[str, Any]) -> Any:
        """Return what a task instance has returned, None where that is nothing. Raises what :meth:`get` does.

        :param instance: the task instance as the REST API tells of it.
        """
        path = f"{_path(instance)}/xcomEntries/return_value"
        try:
            return self.get(path, map_index=instance["map_index"], stringify="false")["value"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return None
            raise

    def set_task_state(self, instance: Mapping[str, Any], state: str) -> None:
        """Mark a task instance. Raises what :meth:`get` does.

        :param instance: the task instance as the REST API tells of it.
        :param state: "failed" or "success".
        """
        index = f"/{instance['map_index']}" if instance["map_index"] >= 0 else ""
        self.patch(f"{_path(instance)}{index}", new_state=state, **self.for_mark)

    def clear(self, dag_id: str, run_id: str, tasks: Iterable[tuple[str, int]]) -> None:
        """Clear task instances. Raises what :meth:`get` does.

        :param dag_id: the DAG.
        :param run_id: its run.
        :param tasks: ids of tasks, with a map index or -1.
        """
        named = [task_id if index < 0 else [task_id, index] for task_id, index in tasks]
        fields = {"dag_run_id": run_id, "task_ids": named, "only_failed": False, "dry_run": False}
        self.post(f"/dags/{dag_id}/clearTaskInstances", **fields)

    def connection_form(self, connection_type: str) -> dict[str, Any]:
        """Return what Airflow's connection page makes its form of. Raises what :meth:`get` does.

        :param connection_type: of the connection.
        """
        forms = self._ask("GET", "/ui/connections/hook_meta")
        return next((form for form in forms if form["connection_type"] == connection_type), {})

    def _has(self, dag_id: str) -> bool:
        for problem in self.get("/importErrors")["import_errors"]:
            raise ProgramError(f"{problem['filename']} cannot be imported:\n{problem['stack_trace']}")
        return any(dag["dag_id"] == dag_id for dag in self.get("/dags", limit=100)["dags"])

    # On SQLite a request can fail because the database is locked; those made here can be repeated.
    @tenacity.retry(
        stop=tenacity.stop_after_delay(30.0),
        wait=tenacity.wait_fixed(0.5),
        retry=tenacity.retry_if_exception(_is_passing),
        reraise=True,
    )
    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        self.programs.watch()
        return self._http.request(method, path, **arguments).raise_for_status().json()


def _path(instance: Mapping[str, Any]) -> str:
    return f"/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}/taskInstances/{instance['task_id']}"
