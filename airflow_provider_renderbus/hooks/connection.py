"""Reads an Airflow connection of type ``renderbus``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_renderbus.hooks.connection_fields import DEFAULT_HOST, EXTRA_FIELDS, HOOK_ONLY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_renderbus.clients.settings import Settings

# Seconds, if set neither in the connection nor in Airflow's configuration.
TIMEOUTS = {"connect_timeout": "10", "read_timeout": "60"}
# Airflow's names of these fields, with the labels in its form.
_FORM_LABELS = {
    "domain": "host (domain)",
    "access_id": "login (access id)",
    "access_key": "password (access key)",
}


def load_settings(connection: Connection, extra: Mapping[str, Any]) -> Settings:
    """Return a client's settings from a connection and its extra, parsed from JSON.

    :raises ValueError: fields are invalid or missing; the error names all of them.
    """
    from airflow_provider_renderbus.clients.settings import Settings

    extra_values = {name: value for name, value in extra.items() if value not in (None, "")}
    unknown = sorted(extra_values.keys() - EXTRA_FIELDS.keys())
    problems = []
    if unknown:
        problems.append(f"{', '.join(unknown)}: must be one of the extra fields {', '.join(EXTRA_FIELDS)}")
    options = {
        name: value for name, value in extra_values.items() if name in EXTRA_FIELDS.keys() - HOOK_ONLY_FIELDS
    }
    for name, default in TIMEOUTS.items():
        options[name] = _parse_float(options.get(name, conf.get("renderbus", name, fallback=default)))
    if "verify" in options:
        options["verify"] = _parse_bool(options["verify"])
    url = extra_values.get("console_url", "https://")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        problems.append(f"console_url: must be a URL that begins with http, got {url!r}")
    command = extra_values.get("transfer_command", "")
    if not isinstance(command, str):
        problems.append(f"transfer_command: must be a path, got {command!r}")
    main_account = _parse_bool(extra_values.get("use_main_account_storage", False))
    if not isinstance(main_account, bool):
        problems.append(f"use_main_account_storage: must be true or false, got {main_account!r}")
    port = f":{connection.port}" if connection.port else ""
    try:
        settings = Settings(
            domain=f"{connection.host or DEFAULT_HOST}{port}",
            access_id=connection.login or "",
            access_key=connection.password or "",
            display_names=_FORM_LABELS,
            **options,
        )
    except ValueError as error:
        problems.append(str(error))
    else:
        if not problems:
            return settings
    raise ValueError(f"connection {connection.conn_id!r} cannot be used: {'; '.join(problems)}")


def console_url(template: str | None, settings: Settings, render_task_id: int) -> str:
    """Return the URL of a render in the farm's web console, from the template in the connection's extra.

    The live farm documents no URL for a single render, so without a template it is the entry page.
    """
    if template:
        return template.replace("{render_task_id}", str(render_task_id))
    return f"{settings.protocol}://{settings.domain}/"


def uses_main_account_storage(extra: Mapping[str, Any]) -> bool | None:
    """Return whether scenes go to the main account's storage, or None if the connection does not say."""
    value = extra.get("use_main_account_storage")
    return None if value in (None, "") else bool(_parse_bool(value))


def _parse_float(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _parse_bool(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
