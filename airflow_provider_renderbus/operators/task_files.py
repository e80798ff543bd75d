"""The files that describe a render: read, checked, completed and uploaded."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.validation import parse_int
from airflow_provider_renderbus.clients import flows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from airflow_provider_renderbus.api.models.hardware import HardwareConfig
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

log = logging.getLogger(__name__)

JobFile: TypeAlias = "Mapping[str, Any] | str | PathLike[str]"

# The arguments that are files, and the files' names on the farm.
FILE_ARGUMENTS = {
    "task_json": "task.json",
    "upload_json": "upload.json",
    "asset_json": "asset.json",
    "tips_json": "tips.json",
}
_TASK, _TIPS = FILE_ARGUMENTS["task_json"], FILE_ARGUMENTS["tips_json"]
_TRAITS = ("model", "ram", "gpu_num")


@dataclass(frozen=True, slots=True)
class Description:
    """The files of one render, all of them checked.

    :param files: their contents by their names on the farm.
    :param project_name: a project of the account.
    :param hardware: what the machines must be like: model, ram in GB, gpu_num.
    """

    files: dict[str, dict[str, Any]]
    project_name: str | None
    hardware: Mapping[str, Any]

    @classmethod
    def read(
        cls,
        given: Mapping[str, JobFile | None],
        project_name: str | None,
        hardware: Mapping[str, Any] | None,
    ) -> Description:
        """Read and check files; what is merely unusual is a warning in the log.

        :param given: the files by their arguments, as mappings, JSON texts or paths.
        :param project_name: a project of the account.
        :param hardware: what the machines must be like.
        :raises ValueError: a file is missing or wrong; the places and what is wanted there are named.
        """
        from airflow_provider_renderbus.task_json import schema as validation
        from airflow_provider_renderbus.task_json.files import load_json

        unknown = sorted(set(hardware or {}) - set(_TRAITS))
        if unknown:
            raise ValueError(f"hardware: {', '.join(unknown)} is no trait; there are {', '.join(_TRAITS)}")
        traits = {
            name: value if name == "model" or value is None else parse_int(f"hardware {name}", value)
            for name, value in (hardware or {}).items()
        }
        files = {}
        for argument, name in FILE_ARGUMENTS.items():
            content = given.get(argument)
            if content is None and name != _TASK:
                continue
            files[name] = load_json(argument, "" if content is None else content)
            for warning in validation.validate(name, files[name]):
                log.warning(warning)
        return cls(files, project_name, traits)

    def upload(self, hook: RenderbusHook, number: int) -> dict[str, int]:
        """Complete task.json and upload all files.

        :param hook: the farm's hook.
        :param number: the task's number.
        :return: the size of each uploaded file in bytes, by its name.
        :raises ValueError: the farm has no such project or machines, or enforces a finding in tips.json;
            nothing is uploaded then.
        """
        from airflow_provider_renderbus.task_json.files import complete_task_json

        self._check_tips(hook)
        profile = hook.send(calls.query_user_profile())
        texts = {name: json.dumps(content, ensure_ascii=False) for name, content in self.files.items()}
        texts[_TASK] = complete_task_json(
            self.files[_TASK],
            task_id=number,
            user_id=profile.user_id,
            platform=hook.settings.platform,
            project_id=self._project_id(hook),
            project_name=self.project_name,
            hardware=self._machines(hook),
        )
        for name, text in texts.items():
            hook.send(calls.upload_task_json(number, text, name))
        sizes = {name: len(text.encode()) for name, text in texts.items()}
        log.info("Uploaded %s of task %s", ", ".join(sizes), number)
        return sizes

    def _check_tips(self, hook: RenderbusHook) -> None:
        from airflow_provider_renderbus.task_json import files as tips

        found = self.files.get(_TIPS)
        if found:
            details = hook.send(calls.query_error_detail(codes=found))
            for line in tips.check_findings(found, details):
                log.warning(line)

    def _project_id(self, hook: RenderbusHook) -> int | None:
        if self.project_name is None:
            return None
        answer = hook.send(calls.list_projects())
        listed = answer.get("projectNameList") if isinstance(answer, dict) else None
        projects = {
            project.get("projectName"): project.get("projectId")
            for project in listed or ()
            if isinstance(project, dict)
        }
        if self.project_name not in projects:
            there = ", ".join(map(repr, projects)) or "none"
            raise ValueError(
                f"project_name: the account has no project {self.project_name!r}; there are {there}"
            )
        number: int | None = projects[self.project_name]
        return number

    def _machines(self, hook: RenderbusHook) -> tuple[HardwareConfig, ...]:
        if not self.hardware:
            return ()
        cg_id = self.files[_TASK]["task_info"].get("cg_id")
        if not str(cg_id).isdigit():
            raise ValueError(
                "hardware: machines are chosen by task_info.cg_id, which is missing in task_json"
            )
        return hook.run(flows.select_hardware(hook.settings.platform, int(cg_id), **self.hardware))
