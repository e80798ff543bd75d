"""The JSON files that describe a render: loaded, validated, completed and uploaded."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.api.validation import parse_int
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.fingerprint import JobFingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from airflow_provider_renderbus.api.models.account import HardwareConfig
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
_HARDWARE_FILTERS = ("model", "ram", "gpu_num")


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """The validated files of one render, their project, and filters that select the kind of machine."""

    files: dict[str, dict[str, Any]]
    project_name: str | None
    hardware: Mapping[str, Any]

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

        unknown = sorted(set(hardware or {}) - set(_HARDWARE_FILTERS))
        if unknown:
            raise ValueError(
                f"hardware: keys must be among {', '.join(_HARDWARE_FILTERS)}, got {', '.join(unknown)}"
            )
        filters = {
            name: value if name == "model" or value is None else parse_int(f"hardware {name}", value)
            for name, value in (hardware or {}).items()
        }
        files = {}
        for argument, name in FILE_ARGUMENTS.items():
            source = sources.get(argument)
            if source is None and name != _TASK:
                continue
            files[name] = load_json(argument, "" if source is None else source)
            for warning in validate(name, files[name]):
                log.warning(warning)
        return cls(files, project_name, filters)

    def fingerprint(self, assets: Sequence[Asset] | None) -> JobFingerprint:
        """Return the fingerprint of the job that the files and the assets, if any, describe."""
        arguments = {argument: self.files.get(name) for argument, name in FILE_ARGUMENTS.items()}
        return JobFingerprint.of(
            {**arguments, "project_name": self.project_name, "hardware": dict(self.hardware)},
            None if assets is None else ((each.server, each.size, each.modified // 10**9) for each in assets),
        )

    def upload(self, hook: RenderbusHook, render_task_id: int) -> dict[str, int]:
        """Complete task.json, upload all files, and return the bytes of each by its name.

        :raises ValueError: the farm has no such project or machines, or enforces a finding in tips.json;
            nothing is uploaded.
        """
        from airflow_provider_renderbus.task_json.files import complete_task_json

        self._check_tips(hook)
        profile = hook.send(calls.query_user_profile())
        texts = {name: json.dumps(content, ensure_ascii=False) for name, content in self.files.items()}
        texts[_TASK] = complete_task_json(
            self.files[_TASK],
            task_id=render_task_id,
            user_id=profile.user_id,
            platform=hook.settings.platform,
            project_id=self._project_id(hook),
            project_name=self.project_name,
            hardware=self._hardware_configs(hook),
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
            names = join_limited([*map(repr, ids)], ", ") or "none"
            raise ValueError(
                f"project_name: must be a project of the account ({names}), got {self.project_name!r}"
            )
        return ids[self.project_name]

    def _hardware_configs(self, hook: RenderbusHook) -> tuple[HardwareConfig, ...]:
        if not self.hardware:
            return ()
        cg_id = self.files[_TASK]["task_info"].get("cg_id")
        if not str(cg_id).isdigit():
            raise ValueError("hardware: task_info.cg_id must be set in task_json to select machines")
        return hook.run(flows.select_hardware(hook.settings.platform, int(cg_id), **self.hardware))


class Job(NamedTuple):
    """What a try asks to render.

    :param files: what describes the render.
    :param assets: what to upload; None for nothing.
    :param fingerprint: of both.
    """

    files: TaskFiles
    assets: list[Asset] | None
    fingerprint: JobFingerprint
