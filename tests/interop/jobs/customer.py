"""A customer of the embedded farm who uses only the vendor's client and its documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.interop.vendor import VendorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.farm import Farm
    from tests.interop.vendor import Vendor

STEP = 30
MAX_STEPS = 200


class Customer:
    """Uses a farm through the vendor's client, and advances the farm's clock to wait.

    :param vendor: the vendor's client.
    :param farm: a farm with a manual clock.
    """

    def __init__(self, vendor: Vendor, farm: Farm) -> None:
        self.call = vendor.call
        self.farm = farm

    def log_in(self, **overrides: str) -> None:
        """Log in as the farm's account, with some values of the connection replaced."""
        connection = self.farm.connection()
        values = {
            "access_id": connection["login"],
            "access_key": connection["password"],
            "domain": f"{connection['host']}:{connection['port']}",
            "platform": str(connection["extra"]["platform"]),
            "protocol": connection["schema"],
        }
        self.call("log_in", **values | overrides)

    def render(self, task_json: dict[str, Any]) -> int:
        """Create, describe and submit a task, and return its id."""
        (task_id,) = self.call("task.create_task")["taskIdList"]
        content = json.dumps(task_json, ensure_ascii=False)
        self.call("transmit.upload_json_content", task_id=task_id, content=content)
        self.call("api.submit", task_id=task_id, producer="Ding")
        return int(task_id)

    def info(self, task_id: int) -> dict[str, Any]:
        (item,) = self.call("query.task_info", task_ids_list=[task_id])["items"]
        return dict(item)

    def state(self, task_id: int) -> int:
        return int(self.info(task_id)["taskStatus"])

    def has_ended(self, task_id: int, *, paused_is_ended: bool = False) -> bool:
        """Return whether the vendor's client would stop waiting and start the download."""
        return bool(self.call("manage.is_task_end", task_id=task_id, is_test_stop=paused_is_ended))

    def wait(self, task_id: int, *, paused_is_ended: bool = False, step: float = STEP) -> int:
        """Wait as the vendor's client does, and return the task's state."""
        self._until(lambda: self.has_ended(task_id, paused_is_ended=paused_is_ended), step)
        return self.state(task_id)

    def wait_for(self, task_id: int, state: int) -> None:
        """Wait until a task without sub-tasks has a state."""
        self._until(lambda: self.state(task_id) == state, STEP)

    def _until(self, condition: Callable[[], bool], step: float) -> None:
        for _ in range(MAX_STEPS):
            if condition():
                return
            self.farm.advance(step)
        raise AssertionError(f"the condition is still false after {MAX_STEPS * step} farm seconds")

    def frames(self, leaf: int) -> dict[str, dict[str, Any]]:
        """Return a leaf's frames by name."""
        return dict(self.call("query.get_all_frames", task_id=leaf))

    def files(self, leaf: int) -> list[str]:
        """Return the names of a leaf's output files, listed as the documents describe: first its top
        folder."""
        (top,) = self.call("transmit.get_output_files", task_id=leaf)
        listed = self.call("transmit.get_output_files", tree_path=top["filePath"])
        return sorted(entry["fileName"] for entry in listed if not entry["directory"])

    def folders(self, task_id: int) -> list[str]:
        """Return the folders that the vendor's client would download."""
        states = self.call("manage.get_task_status", task_id_list=[task_id])
        folders = self.call("manage.output_file_names", task_status_list=states)
        return [each["output_name"] for each in folders]

    def refusal_code(self, method: str, **arguments: Any) -> int | None:
        """Call a method that the farm refuses, and return the farm's code."""
        try:
            self.call(method, **arguments)
        except VendorError as error:
            return error.code
        raise AssertionError(f"{method} was not refused")
