"""Fields of a connection of type ``renderbus``, in one table.

Airflow builds its connection form from the table, and the hook reads connections by it. This module imports
nothing of the provider, because Airflow reads the provider's information at every start.
"""

from __future__ import annotations

from typing import Any, NamedTuple

DEFAULT_HOST = "task.renderbus.com"
DEFAULT_CONN_ID = "renderbus_default"


class ExtraField(NamedTuple):
    """Label, JSON schema and description of a field of the connection's extra."""

    label: str
    schema: dict[str, Any]
    description: str


STORAGES = {"main-account": True, "own-account": False}
"""Choices of the field ``storage``: whether scenes go to the main account's storage."""

# In the order in which the form shows them.
EXTRA_FIELDS: dict[str, ExtraField] = {
    "platform": ExtraField(
        "Platform",
        {"type": ["integer", "null"], "minimum": 1, "maximum": 9999},
        "Id of the render platform: 2 (W2, if empty), 62 (W3), 21 (GPU).",
    ),
    "transfer_command": ExtraField(
        "Transfer command",
        {"type": ["string", "null"]},
        "Path of the vendor's rayvision_transmitter on the workers; [renderbus] transfer_command if empty.",
    ),
    "storage": ExtraField(
        "Storage",
        {"type": ["string", "null"], "enum": list(STORAGES)},
        "Storage for the scenes of a sub-account; as the account's profile says if empty.",
    ),
    "console_url": ExtraField(
        "Console URL",
        {"type": ["string", "null"], "format": "url"},
        "URL of a render in the farm's web console, with {render_task_id} in it.",
    ),
    "verify": ExtraField(
        "Verify TLS",
        {"type": ["boolean", "null"], "default": True},
        "Whether the farm's TLS certificate is verified.",
    ),
    "ca_bundle": ExtraField(
        "CA bundle",
        {"type": ["string", "null"]},
        "Path of a file with the certificate authorities to trust instead of the default ones.",
    ),
    "connect_timeout": ExtraField(
        "Connect timeout",
        {"type": ["number", "null"], "minimum": 0.1, "maximum": 600},
        "Seconds to wait for a connection; [renderbus] connect_timeout (10) if empty.",
    ),
    "read_timeout": ExtraField(
        "Read timeout",
        {"type": ["number", "null"], "minimum": 0.1, "maximum": 3600},
        "Seconds to wait for data of a response; [renderbus] read_timeout (60) if empty.",
    ),
}
# Accepted, but not in the form: Airflow's own field for it is `schema`. Airflow masks every text in extra,
# and warns in each task log of one below five characters, such as "http" or "W2".
PROTOCOL = "protocol"

TRANSFER_COMMANDS = ("rayvision_transmitter", "renderbus-farm-transmitter")
"""File names of the transfer commands that a connection can choose: the vendor's and the embedded farm's."""

# Fields that the hook uses itself; all others are settings of the client.
HOOK_ONLY_FIELDS = {"console_url", "storage", "transfer_command"}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": [],
    "relabeling": {
        "host": "Domain",
        "schema": "Protocol",
        "login": "Access id",
        "password": "Access key",
    },
    "placeholders": {
        "host": f"{DEFAULT_HOST} (China), or task.foxrenderfarm.com",
        "schema": "https",
        "login": "shown at https://<domain>/user/developer",
        "password": "shown beside the access id",
    },
}
