"""Reading an Airflow connection of type ``renderbus``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_renderbus.hooks.connection_fields import DEFAULT_HOST, EXTRA_FIELDS, HOOK_ONLY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_renderbus.clients.settings import Settings

# Seconds, where neither the connection nor Airflow's configuration says otherwise.
TIMEOUTS = {"connect_timeout": "10", "read_timeout": "60"}
# Airflow's names of these fields, with the labels that its form shows instead.
_CALLED = {"domain": "host (domain)", "access_id": "login (access id)", "access_key": "password (access key)"}


def load_settings(connection: Connection, extra: Mapping[str, Any]) -> Settings:
    """Return the settings of a client from a connection.

    :param connection: the connection.
    :param extra: the connection's extra, read from JSON.
    :raises ValueError: fields are wrong or missing; all of them are named at once.
    """
    from airflow_provider_renderbus.clients.settings import Settings

    given = {name: value for name, value in extra.items() if value not in (None, "")}
    unknown = sorted(given.keys() - EXTRA_FIELDS.keys())
    problems = []
    if unknown:
        problems.append(f"{', '.join(unknown)}: no such field of extra; there are {', '.join(EXTRA_FIELDS)}")
    options = {name: value for name, value in given.items() if name in EXTRA_FIELDS.keys() - HOOK_ONLY_FIELDS}
    for name in ("connect_timeout", "read_timeout"):
        options[name] = _number(options.get(name, conf.get("renderbus", name, fallback=TIMEOUTS[name])))
    if "verify" in options:
        options["verify"] = _yes_or_no(options["verify"])
    address = given.get("console_url", "https://")
    if not isinstance(address, str) or not address.startswith(("http://", "https://")):
        problems.append(f"console_url: an address that begins with http is wanted, not {address!r}")
    if not isinstance(given.get("transfer_command", ""), str):
        problems.append(f"transfer_command: a path is wanted, not {given['transfer_command']!r}")
    if not isinstance(_yes_or_no(given.get("use_main_account", False)), bool):
        problems.append(f"use_main_account: true or false is wanted, not {given['use_main_account']!r}")
    port = f":{connection.port}" if connection.port else ""
    try:
        settings = Settings(
            domain=f"{connection.host or DEFAULT_HOST}{port}",
            access_id=connection.login or "",
            access_key=connection.password or "",
            display_names=_CALLED,
            **options,
        )
    except ValueError as problem:
        problems.append(str(problem))
    else:
        if not problems:
            return settings
    raise ValueError(f"connection {connection.conn_id!r} cannot be used: {'; '.join(problems)}")


def console_url(template: str | None, settings: Settings, number: int) -> str:
    """Return the address of a task on the farm's web pages.

    The live farm documents no address for a single task, so without a template it is the entry page.

    :param template: the connection's ``console_url``, with ``{number}`` where the task's number stands.
    :param settings: which farm it is.
    :param number: the task's number.
    """
    if template:
        return template.replace("{number}", str(number))
    return f"{settings.protocol}://{settings.domain}/"


def uses_main_account_storage(extra: Mapping[str, Any]) -> bool | None:
    """Return whether scenes go to the main account's storage, or None where the connection leaves it open.

    :param extra: the connection's extra, read from JSON.
    """
    given = extra.get("use_main_account")
    return None if given in (None, "") else bool(_yes_or_no(given))


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _yes_or_no(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
