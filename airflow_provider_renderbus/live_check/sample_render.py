"""The scene that ``renderbus-check --render`` sends: one frame of it is rendered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.files import load_json
from airflow_provider_renderbus.task_json.names import extension_software
from airflow_provider_renderbus.transfer.uploads import Asset, assets_from_upload_json

if TYPE_CHECKING:
    from decimal import Decimal

_FOLDER = "renderbus-check"
_WINDOWS = "1"


@dataclass(frozen=True, slots=True)
class SampleRender:
    """A scene to render one frame of.

    :param scene: the scene's file.
    :param max_cost: the cost at which it is stopped, in the account's currency.
    :param base: a task.json of it, if there is one.
    """

    scene: Path
    max_cost: Decimal
    base: dict[str, Any] | None = None

    @classmethod
    def load(cls, file: Path, max_cost: Decimal) -> SampleRender:
        """Return what to render for a scene, or for a task.json that names its scene.

        :raises ValueError: the file is neither, or the scene is not on this machine.
        """
        base, scene = None, file
        if file.suffix.lower() == ".json":
            base = load_json("--render", file)
            info = base.get("task_info")
            scene = Path(str(info.get("input_cg_file")) if isinstance(info, dict) else "")
        if not scene.is_file():
            raise ValueError(f"--render: must be a scene on this machine, got {str(scene)!r}")
        if base is None and extension_software(scene.name) is None:
            raise ValueError(
                f"--render: must be a scene file of a software, or a task.json, got {scene.name!r}"
            )
        return cls(scene.absolute(), max_cost, base)

    def task_json(self, version: str) -> dict[str, Any]:
        """Return the task.json of one frame.

        :param version: the version of the software, if there is no task.json.
        :raises ValueError: more must be said about the scene than its software; a task.json says it.
        """
        if self.base is not None:
            content = build_task_json(base=self.base, frames="1")
        else:
            software = extension_software(self.scene.name)
            try:
                content = build_task_json(
                    software=software.name if software else "",
                    version=version,
                    scene=f"D:/{_FOLDER}/{self.scene.name}",
                    frames="1",
                )
            except ValueError as error:
                raise ValueError(f"--render: give a task.json of the scene instead: {error}") from None
        # Below one folder of the input storage, whatever path the scene has here.
        root = "D:/" if str(content["task_info"].get("os_name", _WINDOWS)) == _WINDOWS else "/"
        content["task_info"]["input_cg_file"] = f"{root}{_FOLDER}/{self.scene.name}"
        return content

    def assets(self, task_json: dict[str, Any]) -> list[Asset]:
        """Return the scene as what is uploaded."""
        server = "/" + task_json["task_info"]["input_cg_file"].replace(":", "").lstrip("/")
        return assets_from_upload_json({"asset": [{"local": str(self.scene), "server": server}]})

    def __str__(self) -> str:
        return printable(self.scene.name)
