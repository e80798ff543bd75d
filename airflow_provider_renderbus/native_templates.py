"""Renders templated fields under Airflow's ``render_template_as_native_obj`` without changing texts.

Airflow's own native rendering evaluates every text that looks like a Python literal, also without a
template in it: the version "4.2" becomes 4.2, the artist "007" becomes 7, the frames "000" become 0.
Here a text stays a text, and an expression that gives an object, such as `{{ ti.xcom_pull("build") }}`,
gives that object.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

    from airflow_provider_renderbus.compat import Context


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
