"""A customer of the embedded farm who has nothing but the vendor's client and its documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.interop.vendor import VendorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_renderbus.farm import Farm
    from tests.interop.vendor import Vendor

STEP = 30
MOST_STEPS = 200


class Customer:
    """Asks a farm through the vendor's client, and lets the farm's time pass while waiting.

    :param vendor: the vendor's client.
    :param farm: a farm with a clock to drive by hand.
    """

    def __init__(self, vendor: Vendor, farm: Farm) -> None:
        self.ask = vendor.ask
        self.farm = farm

    def log_in(self, **other: str) -> None:
        """Log in as the farm's account; what is given takes the place of the connection's own."""
        connection = self.farm.connection()
        usual = {
            "access_id": connection["login"],
            "access_key": connection["password"],
            "domain": f"{connection['host']}:{connection['port']}",
            "platform": connection["extra"]["platform"],
            "protocol": connection["extra"]["protocol"],
        }
        self.ask("log_in", **usual | other)

    def render(self, task_json: dict[str, Any]) -> int:
        """Create, describe and submit a task, and return its number."""
        (number,) = self.ask("task.create_task")["taskIdList"]
        content = json.dumps(task_json, ensure_ascii=False)
        self.ask("transmit.upload_json_content", task_id=number, content=content)
        self.ask("api.submit", task_id=number, producer="Ding")
        return int(number)

    def info(self, number: int) -> dict[str, Any]:
        (item,) = self.ask("query.task_info", task_ids_list=[number])["items"]
        return dict(item)

    def state(self, number: int) -> int:
        return int(self.info(number)["taskStatus"])

    def has_ended(self, number: int, *, paused_is_ended: bool = False) -> bool:
        """Whether the vendor's own waiting would go on to the download now."""
        return bool(self.ask("manage.is_task_end", task_id=number, is_test_stop=paused_is_ended))

    def wait(self, number: int, *, paused_is_ended: bool = False, step: float = STEP) -> int:
        """Wait as the vendor's client does, asking every few farm seconds, and return the task's state."""
        self._until(lambda: self.has_ended(number, paused_is_ended=paused_is_ended), step)
        return self.state(number)

    def wait_for(self, number: int, state: int) -> None:
        """Wait until a task that is no parent has a state."""
        self._until(lambda: self.state(number) == state, STEP)

    def _until(self, reached: Callable[[], bool], step: float) -> None:
        for _ in range(MOST_STEPS):
            if reached():
                return
            self.farm.advance(step)
        raise AssertionError(f"nothing came of it in {MOST_STEPS * step} farm seconds")

    def frames(self, leaf: int) -> dict[str, dict[str, Any]]:
        """A leaf's frames by their names."""
        return dict(self.ask("query.get_all_frames", task_id=leaf))

    def files(self, leaf: int) -> list[str]:
        """The names of a leaf's output files, found as the documents tell: first its top folder."""
        (top,) = self.ask("transmit.get_output_files", task_id=leaf)
        listed = self.ask("transmit.get_output_files", tree_path=top["filePath"])
        return sorted(entry["fileName"] for entry in listed if not entry["directory"])

    def folders(self, number: int) -> list[str]:
        """The folders that the vendor's client would download."""
        states = self.ask("manage.get_task_status", task_id_list=[number])
        named = self.ask("manage.output_file_names", task_status_list=states)
        return [each["output_name"] for each in named]

    def refusal(self, order: str, **arguments: Any) -> int | None:
        """The code with which the farm refuses."""
        try:
            self.ask(order, **arguments)
        except VendorError as error:
            return error.code
        raise AssertionError(f"{order} was not refused")
