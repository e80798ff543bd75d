"""The connection form of Airflow 2.11 to 3.1, which methods of the hook define.

Later versions build the form from the provider's information, which comes from the same table.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR


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
    from wtforms.validators import Optional

    fields: dict[str, Any] = {}
    for name, extra in EXTRA_FIELDS.items():
        default = extra.schema.get("default")
        if isinstance(default, bool):
            fields[name] = BooleanField(extra.label, description=extra.description, default=default)
            continue
        is_number = not {"integer", "number"}.isdisjoint(extra.schema["type"])
        fields[name] = (IntegerField if is_number else StringField)(
            extra.label,
            validators=[Optional()],
            description=extra.description,
            default=default,
            widget=BS3TextFieldWidget(),
        )
    return fields
