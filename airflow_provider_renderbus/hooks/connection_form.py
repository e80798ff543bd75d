"""The connection form of Airflow 2.11 to 3.1, which methods of the hook define.

Later versions build the form from the provider's information, which comes from the same table.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR

if TYPE_CHECKING:
    from collections.abc import Iterable


def field_behaviour() -> dict[str, Any]:
    """Return which of the fields common to all connections are hidden, relabeled or have a placeholder."""
    return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}


def form_widgets() -> dict[str, Any]:
    """Return a form field for each field of extra.

    Numbers are integers, because the form of these versions supports no others.

    :raises ImportError: the packages of the form are not installed; Airflow then works without it.
    """
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, StringField
    from wtforms.validators import Optional, any_of

    fields: dict[str, Any] = {}
    for name, extra in EXTRA_FIELDS.items():
        default = extra.schema.get("default")
        if isinstance(default, bool):
            fields[name] = BooleanField(extra.label, description=extra.description, default=default)
            continue
        choices = extra.schema.get("enum")
        is_number = not {"integer", "number"}.isdisjoint(extra.schema["type"])
        fields[name] = (IntegerField if is_number else StringField)(
            extra.label,
            validators=[Optional(), *([any_of(choices)] if choices else [])],
            description=extra.description,
            default=default,
            widget=functools.partial(_select, choices) if choices else BS3TextFieldWidget(),
        )
    return fields


def _select(choices: Iterable[str], field: Any, **attributes: Any) -> str:
    """Render a text field as a drop-down list for Airflow 2.11, which accepts no SelectField."""
    from markupsafe import Markup
    from wtforms.widgets import html_params

    attributes |= {"id": field.id, "name": field.name, "class": "form-control"}
    options = (
        f"<option {html_params(value=choice, selected=choice == (field.data or ''))}>{choice}</option>"
        for choice in ("", *choices)
    )
    # Choices are this module's own, and html_params escapes.
    return Markup(f"<select {html_params(**attributes)}>{''.join(options)}</select>")  # noqa: S704
