"""The JSON files that describe a render: loaded, validated, completed and uploaded."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.api.validation import excerpt, non_blank_line, optional, parse_int_from
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.fingerprint import JobFingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from airflow_provider_renderbus.api.models.account import HardwareConfig, UserProfile
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.transfer.uploads import Asset

log = logging.getLogger(__name__)

JsonSource: TypeAlias = "Mapping[str, Any] | str | PathLike[str]"

FILE_ARGUMENTS = {
    "task_json": "task.json",
    "upload_json": "upload.json",
    "asset_json": "asset.json",
    "tips_json": "tips.json",
}
"""Names of files on the farm, by argument of an operator."""
_TASK, _TIPS = FILE_ARGUMENTS["task_json"], FILE_ARGUMENTS["tips_json"]
_ALL_PROJECTS = 2
_CG_ID = re.compile("[0-9]{1,18}")
# The filters of `hardware`, each with the largest value that is not taken for a typing error.
_HARDWARE_FILTERS = {"model": None, "ram": 65_536, "gpu_num": 64}


class FarmValues(NamedTuple):
    """What task.json needs from the farm: ids of user, project and machines."""

    user_id: int
    project_id: int | None
    hardware: tuple[HardwareConfig, ...]


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """The validated files of one render, their project, and filters that select the kind of machine.

    :param warnings: what is doubtful about the files; it is logged.
    """

    files: dict[str, dict[str, Any]]
    project_name: str | None
    hardware: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def task_json(self) -> dict[str, Any]:
        """The content of task.json."""
        return self.files[_TASK]

    @classmethod
    def load(
        cls,
        sources: Mapping[str, JsonSource | None],
        project_name: str | None,
        hardware: Mapping[str, Any] | None,
    ) -> TaskFiles:
        """Load and validate mappings, JSON texts or paths, by argument, and log the warnings.

        :raises ValueError: task.json is missing, or a file or filter is invalid. Errors have JSON paths.
        """
        from airflow_provider_renderbus.task_json.files import load_json
        from airflow_provider_renderbus.task_json.schema import validate

        project_name = optional(non_blank_line, "project_name", project_name)
        filters = _parse_hardware({} if hardware is None else hardware)
        files = {}
        warnings: list[str] = []
        for argument, name in FILE_ARGUMENTS.items():
            source = sources.get(argument)
            if source is None and name != _TASK:
                continue
            if source is None or source == "":
                raise ValueError(
                    f"{argument}: must be a mapping, JSON text or a path ending in .json, got {source!r}"
                )
            files[name] = load_json(argument, source)
            warnings += validate(name, files[name])
        for warning in warnings:
            log.warning(warning)
        for code in files.get(_TIPS, {}):
            non_blank_line("tips_json: a code", code)
        if filters and not _CG_ID.fullmatch(str(files[_TASK]["task_info"].get("cg_id"))):
            raise ValueError(
                "hardware: task_info.cg_id must be set in task_json to the id of a software, such as 2007, "
                "to select machines"
            )
        return cls(files, project_name, filters, tuple(warnings))

    def fingerprint(self, assets: Sequence[Asset] | None) -> JobFingerprint:
        """Return the fingerprint of the job that the files and the assets, if any, describe."""
        arguments = {argument: self.files.get(name) for argument, name in FILE_ARGUMENTS.items()}
        return JobFingerprint.of(
            {**arguments, "project_name": self.project_name, "hardware": dict(self.hardware)},
            None if assets is None else ((each.server, each.size, each.modified // 10**9) for each in assets),
        )

    def look_up(self, hook: RenderbusHook, profile: UserProfile) -> FarmValues:
        """Return what task.json needs from the farm, after a check of the findings in tips.json.

        :param profile: of the account.
        :raises ValueError: the farm has no such project or machines, or enforces a finding.
        """
        self._check_tips(hook)
        return FarmValues(profile.user_id, self._project_id(hook), self._hardware_configs(hook))

    def upload(self, hook: RenderbusHook, render_task_id: int, values: FarmValues) -> dict[str, int]:
        """Complete task.json, upload all files, and return the bytes of each by its name.

        :param values: result of :meth:`look_up`.
        """
        from airflow_provider_renderbus.task_json.files import complete_task_json

        texts = {name: json.dumps(content, ensure_ascii=False) for name, content in self.files.items()}
        texts[_TASK] = complete_task_json(
            self.files[_TASK],
            task_id=render_task_id,
            user_id=values.user_id,
            platform=hook.settings.platform,
            project_id=values.project_id,
            project_name=self.project_name,
            hardware=values.hardware,
        )
        for name, text in texts.items():
            hook.send(calls.upload_task_json(render_task_id, text, name))
        sizes = {name: len(text.encode()) for name, text in texts.items()}
        log.info("Render %s: uploaded %s", render_task_id, ", ".join(sizes))
        return sizes

    def _check_tips(self, hook: RenderbusHook) -> None:
        from airflow_provider_renderbus.task_json.files import check_findings

        tips = self.files.get(_TIPS)
        if tips:
            details = hook.send(calls.query_error_detail(codes=list(tips)))
            for warning in check_findings(tips, details):
                log.warning(warning)

    def _project_id(self, hook: RenderbusHook) -> int | None:
        if self.project_name is None:
            return None
        ids = {project.name: project.id for project in hook.send(calls.list_projects()).projects}
        if self.project_name not in ids:
            # A sub-account may use the projects of its main account.
            others = hook.send(calls.list_projects(_ALL_PROJECTS)).projects
            ids = {project.name: project.id for project in others} | ids
        if self.project_name not in ids:
            from airflow_provider_renderbus.task_json.names import did_you_mean

            names = join_limited([*map(repr, ids)], ", ") or "none"
            raise ValueError(
                f"project_name: must be a project of the account ({names}), got {self.project_name!r}"
                f"{did_you_mean(self.project_name, ids)}"
            )
        return ids[self.project_name]

    def _hardware_configs(self, hook: RenderbusHook) -> tuple[HardwareConfig, ...]:
        if not self.hardware:
            return ()
        cg_id = int(self.files[_TASK]["task_info"]["cg_id"])
        try:
            return hook.run(flows.select_hardware(hook.settings.platform, cg_id, **self.hardware))
        except ValueError as error:
            raise ValueError(f"hardware: {error}") from None


def _parse_hardware(hardware: Any) -> dict[str, Any]:
    names = ", ".join(_HARDWARE_FILTERS)
    if not isinstance(hardware, Mapping):
        raise ValueError(f"hardware: must be a mapping with {names}, got {excerpt(hardware)}")
    unknown = [name for name in hardware if name not in _HARDWARE_FILTERS]
    if unknown:
        from airflow_provider_renderbus.task_json.names import did_you_mean

        near = did_you_mean(str(unknown[0]), _HARDWARE_FILTERS)
        raise ValueError(f"hardware: keys must be among {names}, got {', '.join(map(str, unknown))}{near}")
    return {
        name: non_blank_line(f"hardware {name}", value)
        if maximum is None
        else parse_int_from(f"hardware {name}", value, 0, maximum)
        for name, maximum in _HARDWARE_FILTERS.items()
        if (value := hardware.get(name)) is not None
    }
