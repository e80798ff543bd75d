"""What all operators of the farm share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.task_files import FILE_ARGUMENTS, TaskFiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import XComArg

    from airflow_provider_renderbus.operators.task_files import JsonSource


class RenderbusOperator(BaseOperator):
    """An operator with a connection to the farm.

    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields: Sequence[str] = ("renderbus_conn_id",)
    ui_color = "#e4f0e8"

    def __init__(self, *, renderbus_conn_id: str = RenderbusHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.renderbus_conn_id = renderbus_conn_id

    @functools.cached_property
    def hook(self) -> RenderbusHook:
        """The hook of the operator's connection."""
        return RenderbusHook(self.renderbus_conn_id)


class DescribedOperator(RenderbusOperator):
    """An operator that takes the files which describe a render.

    :param task_json: describes the render; a mapping, JSON text, or a path ending in ``.json`` (templated).
    :param upload_json: lists the assets, given likewise (templated).
    :param asset_json: what an analysis found of assets, given likewise (templated).
    :param tips_json: what an analysis found wrong, given likewise (templated).
    :param project_name: a project of the account (templated).
    :param hardware: the kind of machine to render on, by as much of model ("Default"), ram in GB (64) and
        gpu_num (2) as tells it from all others (templated).
    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields = (*RenderbusOperator.template_fields, *FILE_ARGUMENTS, "project_name", "hardware")
    template_fields_renderers = dict.fromkeys(FILE_ARGUMENTS, "json")

    def __init__(
        self,
        *,
        task_json: JsonSource | XComArg,
        upload_json: JsonSource | XComArg | None = None,
        asset_json: JsonSource | XComArg | None = None,
        tips_json: JsonSource | XComArg | None = None,
        project_name: str | XComArg | None = None,
        hardware: Mapping[str, Any] | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.task_json = task_json
        self.upload_json = upload_json
        self.asset_json = asset_json
        self.tips_json = tips_json
        self.project_name: Any = project_name
        self.hardware: Any = hardware

    def description(self) -> TaskFiles:
        """Read and check the files.

        :raises ValueError: a file is missing or wrong; the places and what is wanted there are named.
        """
        files = {name: getattr(self, name) for name in FILE_ARGUMENTS}
        return TaskFiles.load(files, self.project_name, self.hardware)
