"""Reads an Airflow connection of type ``renderbus``."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.compat import conf
from airflow_provider_renderbus.hooks.connection_fields import (
    DEFAULT_HOST,
    EXTRA_FIELDS,
    HOOK_ONLY_FIELDS,
    PROTOCOL,
    STORAGES,
    TRANSFER_COMMANDS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_renderbus.clients.settings import Settings
    from airflow_provider_renderbus.compat import Connection

# Seconds, if set neither in the connection nor in Airflow's configuration.
TIMEOUTS = {"connect_timeout": "10", "read_timeout": "60"}
_DEFAULT_PROTOCOL = "https"
# Airflow's names of these fields, with the labels in its form.
_FORM_LABELS = {
    "domain": "host (domain)",
    "access_id": "login (access id)",
    "access_key": "password (access key)",
    "protocol": "schema (protocol)",
}
_CLIENT_FIELDS = EXTRA_FIELDS.keys() - HOOK_ONLY_FIELDS - TIMEOUTS.keys()
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)
_URL = re.compile(r"https?://[^\s/{}]+[^\s{}]*", re.IGNORECASE)


def parse_extra(connection: Connection) -> dict[str, Any]:
    """Return the extra of a connection, without the fields that are empty.

    Airflow's own `extra_dejson` takes JSON that cannot be parsed for an empty object.

    :raises ValueError: the extra is no JSON object, or has a field twice.
    """
    extra: Any = connection.extra or {}
    if isinstance(extra, str):
        try:
            extra = json.loads(extra, object_pairs_hook=_unique_fields)
        except (ValueError, RecursionError) as error:
            raise _unusable(
                connection, [f"extra: must be a JSON object, got invalid JSON: {error}"]
            ) from None
    if extra is None:
        return {}
    if not isinstance(extra, dict):
        raise _unusable(connection, [f"extra: must be a JSON object, got {type(extra).__name__}"])
    return {name: value for name, value in extra.items() if value not in (None, "")}


def load_settings(connection: Connection, extra: Mapping[str, Any]) -> Settings:
    """Return a client's settings from a connection and the result of :func:`parse_extra`.

    :raises ValueError: fields are invalid or missing; the error names all of them.
    """
    from airflow_provider_renderbus.clients.settings import Settings

    problems = list(_hook_problems(extra))
    schema, in_extra = _text(connection.schema), _text(extra.get(PROTOCOL))
    if schema and in_extra and schema != in_extra:
        problems.append(f"protocol: must be given once, got {excerpt(schema)} and {excerpt(in_extra)}")
    options = {name: extra[name] for name in _CLIENT_FIELDS & extra.keys()}
    for name, default in TIMEOUTS.items():
        options[name] = _parse_float(extra.get(name, conf.get("renderbus", name, fallback=default)))
    if "verify" in options:
        options["verify"] = _parse_bool(options["verify"])
    port = "" if connection.port is None else f":{connection.port}"
    try:
        settings = Settings(
            domain=f"{connection.host or DEFAULT_HOST}{port}",
            access_id=connection.login or "",
            access_key=connection.password or "",
            protocol=schema or (_DEFAULT_PROTOCOL if in_extra in (None, "") else in_extra),
            display_names=_FORM_LABELS,
            console_url_template=extra.get("console_url"),
            owner=f"connection {connection.conn_id!r}",
            **options,
        )
    except ValueError as error:
        problems.append(str(error))
    else:
        if not problems:
            return settings
    raise _unusable(connection, problems)


def uses_main_account_storage(extra: Mapping[str, Any]) -> bool | None:
    """Return whether scenes go to the main account's storage, or None if the connection does not say."""
    return STORAGES.get(extra.get("storage", ""))


def _hook_problems(extra: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the fields that only the hook uses, and with names of fields."""
    from airflow_provider_renderbus.clients.settings import CONSOLE_URL_PLACEHOLDER

    unknown = sorted(extra.keys() - EXTRA_FIELDS.keys() - {PROTOCOL})
    if unknown:
        names = ", ".join(name if name.isidentifier() else excerpt(name) for name in unknown)
        yield f"{names}: must be one of the extra fields {', '.join(EXTRA_FIELDS)}"
    url = extra.get("console_url", "https://host")
    if (
        not isinstance(url, str)
        or not url.isprintable()
        or not _URL.fullmatch(url.replace(CONSOLE_URL_PLACEHOLDER, "1"))
    ):
        yield (
            f"console_url: must be a URL that begins with http and has no placeholder but "
            f"{CONSOLE_URL_PLACEHOLDER}, got {excerpt(url)}"
        )
    command = extra.get("transfer_command", TRANSFER_COMMANDS[0])
    if (
        not isinstance(command, str)
        or not command.isprintable()
        or PurePosixPath(command).name not in TRANSFER_COMMANDS
    ):
        yield (
            f"transfer_command: must be the path of a file named {' or '.join(TRANSFER_COMMANDS)}, "
            f"got {excerpt(command)}; another command can only be set in Airflow's configuration, as "
            f"[renderbus] transfer_command"
        )
    storage = extra.get("storage")
    if storage is not None and storage not in list(STORAGES):
        yield f"storage: must be {' or '.join(STORAGES)}, got {excerpt(storage)}"


def _unusable(connection: Connection, problems: list[str]) -> ValueError:
    return ValueError(f"connection {connection.conn_id!r} cannot be used: {'; '.join(problems)}")


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _text(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _parse_float(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _parse_bool(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
