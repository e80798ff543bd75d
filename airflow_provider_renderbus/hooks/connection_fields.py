"""The fields of a connection of type ``renderbus``, in one table.

The provider's information builds Airflow's connection form from it, and the hook reads connections by it.
Nothing is imported here: Airflow reads the provider's information at every start.
"""

from __future__ import annotations

from typing import Any, NamedTuple

DEFAULT_HOST = "task.renderbus.com"
DEFAULT_CONN_ID = "renderbus_default"


class ExtraField(NamedTuple):
    """A field of the connection's extra: its label, its JSON schema and what it is for."""

    label: str
    schema: dict[str, Any]
    description: str


EXTRA_FIELDS: dict[str, ExtraField] = {
    "platform": ExtraField(
        "Platform",
        {"type": ["string", "null"], "default": "W2"},
        "The render platform's short name (W2, W3, GPU) or number.",
    ),
    "protocol": ExtraField(
        "Protocol",
        {"type": ["string", "null"], "enum": ["https", "http"], "default": "https"},
        "http only for a farm on this machine.",
    ),
    "connect_timeout": ExtraField(
        "Connect time-out",
        {"type": ["number", "null"], "minimum": 0.1, "maximum": 600},
        "Seconds until a connection must stand; [renderbus] connect_timeout (10) where it is left out.",
    ),
    "read_timeout": ExtraField(
        "Read time-out",
        {"type": ["number", "null"], "minimum": 0.1, "maximum": 3600},
        "Seconds that the farm may stay silent; [renderbus] read_timeout (60) where it is left out.",
    ),
    "verify": ExtraField(
        "Verify TLS",
        {"type": ["boolean", "null"], "default": True},
        "Whether the farm's certificate is checked.",
    ),
    "ca_bundle": ExtraField(
        "CA bundle",
        {"type": ["string", "null"]},
        "Path of a file with the authorities to trust in place of the usual ones.",
    ),
    "console_url": ExtraField(
        "Console address",
        {"type": ["string", "null"], "format": "url"},
        "Address of a task on the farm's web pages, with {number} where its number stands.",
    ),
    "use_main_account": ExtraField(
        "Main account's storage",
        {"type": ["boolean", "null"]},
        "Whether scenes go to the main account's storage; the account's profile tells where it is left out.",
    ),
    "transfer_command": ExtraField(
        "Transfer command",
        {"type": ["string", "null"]},
        "Path of the vendor's rayvision_transmitter on the workers; [renderbus] transfer_command where it is "
        "left out.",
    ),
}

# What is not a client's but the hook's.
HOOK_ONLY_FIELDS = {"console_url", "transfer_command", "use_main_account"}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {"host": "Domain", "login": "Access id", "password": "Access key"},
    "placeholders": {
        "host": DEFAULT_HOST,
        "login": "shown at https://<domain>/user/developer",
        "password": "shown beside the access id",
    },
}
