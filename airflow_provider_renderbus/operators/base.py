"""What all operators of the farm share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

if TYPE_CHECKING:
    from collections.abc import Sequence


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
