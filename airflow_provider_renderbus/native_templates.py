"""Renders templated fields in ways that Airflow does not.

Under ``render_template_as_native_obj``, Airflow evaluates every text that looks like a Python literal, also
without a template in it: the version "4.2" becomes 4.2, the artist "007" becomes 7, the frames "000" become
0. Here a text stays a text, and an expression that gives an object, such as `{{ ti.xcom_pull("build") }}`,
gives that object. A number or date from an expression in a text field arrives as text, as without native
objects.

Airflow renders no templates in objects of :mod:`pathlib`; here they are rendered.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template

    from airflow_provider_renderbus.compat import Context

TEXT_FIELDS = frozenset(
    {
        "artist",
        "asset_json",
        "body",
        "dag_ids",
        "download_folder",
        "download_layout",
        "download_pattern",
        "folder",
        "frames",
        "labels",
        "layers",
        "layout",
        "line",
        "pattern",
        "project_name",
        "renders",
        "renderbus_conn_id",
        "subject",
        "task_json",
        "tips_json",
        "transfer_line",
        "upload_json",
    }
)
"""Templated fields that hold text, also in lists and objects."""


def is_native(template: Template) -> bool:
    """Return whether a template is of an environment for native objects."""
    # Imported here, because a DAG file that is parsed renders nothing.
    from jinja2.nativetypes import NativeEnvironment  # noqa: PLC0415

    return isinstance(template.environment, NativeEnvironment)


def render_natively(template: Template, context: Context) -> Any:
    """Return what a template's only expression gives, or the text that it renders.

    The steps are those of Airflow's ``render_template``, which keeps the lazy values of the context lazy.
    """
    environment = template.environment
    variables: Any = copy.copy(context)
    variables.update((name, value) for name, value in template.globals.items() if name not in context)
    try:
        nodes = list(
            template.root_render_func(
                environment.context_class(environment, variables, template.name, template.blocks)
            )
        )
    except Exception:  # noqa: BLE001 - raised again, with the line of the template
        environment.handle_exception()
    return nodes[0] if len(nodes) == 1 else "".join(map(str, nodes))


def as_text(given: Any, rendered: Any) -> Any:
    """Return a rendered value, in which what is neither text nor a collection has become text.

    :param given: the value before it was rendered. What was no text in it stays as it is.
    :param rendered: the value after.
    """
    if isinstance(given, str):
        is_text_or_object = rendered is None or isinstance(rendered, str | os.PathLike | Iterable)
        return rendered if is_text_or_object else str(rendered)
    if isinstance(given, list | tuple) and isinstance(rendered, list | tuple) and len(given) == len(rendered):
        return type(rendered)(map(as_text, given, rendered))
    if isinstance(given, Mapping) and isinstance(rendered, dict):
        return {key: as_text(given.get(key), value) for key, value in rendered.items()}
    return rendered


def finish_rendering(operator: Any, given: Mapping[str, Any]) -> set[str]:
    """Make text of what Airflow has rendered in the text fields of an operator.

    :param operator: an operator or sensor.
    :param given: its templated fields before.
    :return: the fields that had a value, and have none any more.
    """
    for name in given.keys() & TEXT_FIELDS:
        setattr(operator, name, as_text(given[name], getattr(operator, name)))
    return {name for name, value in given.items() if value is not None and getattr(operator, name) is None}


def require_rendered(operator: Any, names: Iterable[str]) -> None:
    """Check that no template has made None of fields whose absence would cost money.

    :param operator: an operator or sensor.
    :param names: the fields.
    :raises ValueError: one is lost.
    """
    lost = [name for name in names if name in operator.rendered_to_none]
    if lost:
        raise ValueError(
            f"{', '.join(lost)}: must have a value, got None from a template or an upstream task; omit the "
            f"argument if it is not needed"
        )


def is_path(content: Any) -> bool:
    """Return whether a value is a path object of :mod:`pathlib`. Airflow renders its own path objects."""
    return isinstance(content, PurePath) and type(content).__module__.startswith("pathlib")


def render_path(content: PurePath, render: Callable[[str], Any]) -> PurePath:
    """Return a path object after its templates are rendered.

    :param render: renders the text of a path.
    """
    return type(content)(str(render(str(content))))
