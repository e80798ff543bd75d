"""The base class of all operators."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.compat import BaseOperator
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.links import EXTRA_LINKS, push_links, set_links
from airflow_provider_renderbus.native_templates import (
    finish_rendering,
    is_native,
    is_path,
    render_natively,
    render_path,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from jinja2 import Template

    from airflow_provider_renderbus.compat import DAG, BaseOperatorLink, Context


class RenderbusOperator(BaseOperator):
    """An operator with a connection to the farm, and links to a render.

    :param renderbus_conn_id: id of the connection (templated).
    """

    template_fields: Sequence[str] = ("renderbus_conn_id",)
    operator_extra_links: Collection[BaseOperatorLink] = EXTRA_LINKS
    ui_color = "#e4f0e8"
    rendered_to_none: Collection[str] = ()
    """The fields that are given, and that Airflow has rendered to None."""
    shot: str | None = None
    """The name of what is rendered, if it is known."""

    def __init__(self, *, renderbus_conn_id: str = RenderbusHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.renderbus_conn_id = renderbus_conn_id

    @functools.cached_property
    def hook(self) -> RenderbusHook:
        """The hook of the connection."""
        return RenderbusHook(self.renderbus_conn_id).watch_lost_time()

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """Render the templates in a value, also in a path object, which Airflow would leave as it is."""

        def render(value: Any) -> Any:
            return super(RenderbusOperator, self).render_template(value, context, *args, **kwargs)

        return render_path(content, render) if is_path(content) else render(content)

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Context, *args: Any, **kwargs: Any
    ) -> None:
        """Render templated fields, and leave texts as texts. Name a mapped task after its shot."""
        given = {name: getattr(self, name) for name in self.template_fields} if parent is self else {}
        super()._do_render_template_fields(parent, template_fields, context, *args, **kwargs)
        self.rendered_to_none = {*self.rendered_to_none, *finish_rendering(self, given)}
        if parent is self:
            self.show_shot_name(context)

    def _render(self, template: Template, context: Context, dag: DAG | None = None) -> Any:
        """Render a template, and leave text as text if the DAG renders native objects."""
        if is_native(template):
            return render_natively(template, context)
        return super()._render(template, context, dag)

    def show_shot_name(self, context: Context, *, task_json: Any = None, scene: str | None = None) -> None:
        """Name a mapped task after its labels or, without any, after the scene that it renders.

        :param task_json: what describes the render, if it is not the argument of that name.
        :param scene: the scene, if it is known otherwise.
        """
        from airflow_provider_renderbus.shot_names import scene_stem, shot_name, show_shot_name

        given = getattr(self, "task_json", None) if task_json is None else task_json
        self.shot = shot_name(getattr(self, "labels", None), given) or scene_stem(scene) or self.shot
        show_shot_name(context, self.shot)

    def show_links(self, context: Context, render_task_id: int) -> None:
        """Have Airflow store the links again when this process ends; they were pushed before."""
        set_links(self, context, self.hook.console_url(render_task_id))

    def push_links(self, context: Context, *render_task_ids: int) -> None:
        """Show the links to renders at once, not only when the Airflow task has ended."""
        push_links(self, context, self.hook.console_url(render_task_ids[0]), render_task_ids)
