"""The line of Airflow that the tests run on, and where lines differ: what has moved, what an older one lacks.

It is stated here and nowhere else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pkgutil import resolve_name

LINE = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
"""Major and minor version."""

WARNINGS = () if LINE >= (3, 3) else ("ignore", "error:::airflow_provider_renderbus")
"""Filters beside those of pyproject.toml: older lines warn of themselves and of what they are made with."""

FORM_HAS_NUMBERS = LINE >= (3, 2)
"""Before 3.2 the connection form is made by the hook, and knows no numbers but integers."""

DAG_FILES_IMPORT = (
    "import airflow.sdk"
    if LINE >= (3, 1)
    else "from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator, conf\n"
    "from airflow.triggers.base import BaseTrigger"
)
"""What any DAG file loads. Older lines load more with it, libraries too."""


def can_reschedule():
    """Have a sensor find what it asks when it is rescheduled: before 3.0, that is the database."""
    if LINE < (3, 0):
        table = resolve_name("airflow.models.taskreschedule:TaskReschedule").__table__
        table.create(resolve_name("airflow.settings:engine"), checkfirst=True)


def was_rescheduled(ti):
    """Have Airflow know that this try of a sensor was rescheduled."""
    now = datetime.now(UTC)
    if LINE >= (3, 0):
        ti.rescheduled = now
        return
    row = resolve_name("airflow.models.taskreschedule:TaskReschedule")(
        ti.task_id, ti.dag_id, ti.run_id, ti.try_number, now, now, now, ti.map_index
    )
    with resolve_name("airflow.utils.session:create_session")() as session:
        # The tables of its run and task instance are not there.
        session.execute(resolve_name("sqlalchemy:text")("PRAGMA foreign_keys = OFF"))
        session.add(row)


def as_on_this_line(snippet):
    """Return a snippet of the README with the changes that it tells for this line."""
    if LINE >= (3, 0):
        return snippet
    return snippet.replace("from airflow.sdk import", "from airflow.decorators import").replace(
        "@dag(", "@dag(start_date=__import__('datetime').datetime(2026, 1, 1), "
    )


def is_leak_of_airflow(line):
    """Tell whether Airflow itself wrote a secret: dag.test() of 3.0 prints each that it is told to mask."""
    return LINE == (3, 0) and "msg=MaskSecret(" in line


def load_dags(folder):
    """Return the DAGs of a folder, with what could not be imported."""
    home = "airflow.dag_processing.dagbag" if LINE >= (3, 2) else "airflow.models.dagbag"
    return resolve_name(f"{home}:DagBag")(str(folder))


def schedule_of(dag):
    return dag.schedule if LINE >= (3, 0) else dag.schedule_interval


def assets_of(dag):
    """Return the Assets that schedule a DAG."""
    condition = dag.timetable.asset_condition if LINE >= (3, 0) else dag.timetable.dataset_condition
    return list(condition.objects)


def connection_types():
    """Return the connection types that Airflow knows, with their hooks."""
    if LINE >= (3, 2):
        return resolve_name("airflow.sdk.providers_manager_runtime:ProvidersManagerTaskRuntime")().hooks
    return resolve_name("airflow.providers_manager:ProvidersManager")().hooks


def connection_form(connection_type):
    """Return the fields of extra in Airflow's connection form: label, default and choices by name."""
    if LINE >= (3, 0):
        if LINE < (3, 2):
            # Its stand-ins for the form's fields are too late where this process has loaded the real ones.
            resolve_name("airflow.providers_manager:ProvidersManager")()._cleanup()
        service = resolve_name("airflow.api_fastapi.core_api.services.ui.connections:HookMetaService")
        forms = {form.connection_type: form.extra_fields for form in service.hook_meta_data()}
        return {
            name: (field["schema"]["title"], field["value"], field["schema"].get("enum"))
            for name, field in forms[connection_type].items()
        }
    widgets = resolve_name("airflow.providers_manager:ProvidersManager")().connection_form_widgets
    return {
        widget.field_name: _label_default_choices(*widget.field.args, **widget.field.kwargs)
        for key, widget in widgets.items()
        if key.startswith(f"extra__{connection_type}__")
    }


def _label_default_choices(label, default, validators=(), **_):
    choices = [validator.values for validator in validators if hasattr(validator, "values")]
    return label, default, choices[0] if choices else None
