"""The version line of Airflow under test, and all differences between lines that tests need."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pkgutil import resolve_name

LINE = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
"""Major and minor version."""

WARNINGS = () if LINE >= (3, 3) else ("ignore", "error:::airflow_provider_renderbus")
"""Warning filters besides those of pyproject.toml, because older lines use deprecated features themselves."""

FORM_HAS_NUMBERS = LINE >= (3, 2)
"""Before 3.2 the hook creates the connection form, which has no numbers other than integers."""

HAS_APPROVAL = LINE >= (3, 1)
"""Whether Airflow has operators that ask a user."""

DAG_FILES_IMPORT = (
    "import airflow.sdk"
    if LINE >= (3, 1)
    else "from airflow_provider_renderbus.compat import BaseHook, BaseOperator, BaseSensorOperator, conf\n"
    "from airflow.triggers.base import BaseTrigger"
)
"""The imports of every DAG file. Older lines load more modules with it."""


def create_reschedule_table():
    """Create the table that a rescheduled sensor queries before 3.0."""
    if LINE < (3, 0):
        table = resolve_name("airflow.models.taskreschedule:TaskReschedule").__table__
        table.create(resolve_name("airflow.settings:engine"), checkfirst=True)


def mark_rescheduled(ti):
    """Record in Airflow that this try of a sensor was rescheduled."""
    now = datetime.now(UTC)
    if LINE >= (3, 0):
        ti.rescheduled = now
        return
    row = resolve_name("airflow.models.taskreschedule:TaskReschedule")(
        ti.task_id, ti.dag_id, ti.run_id, ti.try_number, now, now, now, ti.map_index
    )
    with resolve_name("airflow.utils.session:create_session")() as session:
        # The tables of DAG runs and task instances do not exist.
        session.execute(resolve_name("sqlalchemy:text")("PRAGMA foreign_keys = OFF"))
        session.add(row)


if LINE < (3, 0):
    _SECRETS_MASKER = "airflow.utils.log.secrets_masker"
elif LINE < (3, 1):
    _SECRETS_MASKER = "airflow.sdk.execution_time.secrets_masker"
else:
    _SECRETS_MASKER = "airflow.sdk._shared.secrets_masker"


def redact(value):
    """Replace the secrets in a value as Airflow does in its logs."""
    return resolve_name(f"{_SECRETS_MASKER}:redact")(value)


def reset_secrets_masker():
    """Make Airflow mask no secrets in this process: with each new one, it compiles all of them."""
    masker = resolve_name(f"{_SECRETS_MASKER}:_secrets_masker")()
    masker.patterns = set()
    masker.replacer = None


def copy_dag_file(file, folder):
    """Copy a DAG file into a folder, with names that this line can import, and return the copy."""
    text = file.read_text("utf-8")
    if LINE < (3, 0):
        text = text.replace("from airflow.sdk import", "from airflow_provider_renderbus.compat import")
    copy = folder / file.name
    copy.write_text(text, "utf-8")
    return copy


def adapt_to_line(snippet, line=LINE):
    """Return a snippet of the README with the changes that the README lists for a line of Airflow."""
    if line >= (3, 0):
        return snippet
    return snippet.replace("from airflow.sdk import", "from airflow.decorators import").replace(
        "@dag(", "@dag(start_date=__import__('datetime').datetime(2026, 1, 1), "
    )


def is_airflow_secret_leak(line):
    """Return whether Airflow itself printed a secret: dag.test() of 3.0 prints secrets that it masks."""
    return LINE == (3, 0) and "msg=MaskSecret(" in line


def load_dags(folder):
    """Return the DagBag of a folder, with its import errors."""
    module = "airflow.dag_processing.dagbag" if LINE >= (3, 2) else "airflow.models.dagbag"
    return resolve_name(f"{module}:DagBag")(str(folder))


def schedule_of(dag):
    return dag.schedule if LINE >= (3, 0) else dag.schedule_interval


def assets_of(dag):
    """Return the Assets that schedule a DAG."""
    condition = dag.timetable.asset_condition if LINE >= (3, 0) else dag.timetable.dataset_condition
    return list(condition.objects)


def connection_types():
    """Return the registered connection types with their hooks."""
    if LINE >= (3, 2):
        return resolve_name("airflow.sdk.providers_manager_runtime:ProvidersManagerTaskRuntime")().hooks
    return resolve_name("airflow.providers_manager:ProvidersManager")().hooks


def connection_form(connection_type):
    """Return the extra fields of Airflow's connection form: label, default and choices by name."""
    if LINE >= (3, 0):
        return {
            name: (field["schema"]["title"], field["value"], field["schema"].get("enum"))
            for name, field in _form(connection_type).extra_fields.items()
        }
    widgets = resolve_name("airflow.providers_manager:ProvidersManager")().connection_form_widgets
    return {
        widget.field_name: _label_default_choices(*widget.field.args, **widget.field.kwargs)
        for key, widget in widgets.items()
        if key.startswith(f"extra__{connection_type}__")
    }


def connection_form_labels(connection_type):
    """Return the labels of the standard fields that Airflow's connection form relabels, by name."""
    if LINE >= (3, 0):
        fields = _form(connection_type).standard_fields.model_dump()
        # Airflow 3's name of the field "schema" in its own API is "url_schema".
        return {name.removeprefix("url_"): field["title"] for name, field in fields.items() if field}
    behaviours = resolve_name("airflow.providers_manager:ProvidersManager")().field_behaviours
    return behaviours[connection_type]["relabeling"]


def _form(connection_type):
    if LINE < (3, 2):
        # Its mocks of form fields come too late if this process has loaded the real ones.
        resolve_name("airflow.providers_manager:ProvidersManager")()._cleanup()
    service = resolve_name("airflow.api_fastapi.core_api.services.ui.connections:HookMetaService")
    return {form.connection_type: form for form in service.hook_meta_data()}[connection_type]


def _label_default_choices(label, default, validators=(), **_):
    choices = [validator.values for validator in validators if hasattr(validator, "values")]
    return label, default, choices[0] if choices else None
