"""What this provider tells Airflow about itself."""

from __future__ import annotations

from typing import Any

from airflow_provider_renderbus import __version__
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR

_PACKAGE = "airflow_provider_renderbus"
_INTEGRATION = "Renderbus"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's information; Airflow 3.3 builds the connection form from it alone."""
    return {
        "package-name": "airflow-provider-renderbus",
        "name": "Renderbus",
        "description": "The cloud render farms Renderbus and Fox Renderfarm.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://www.foxrenderfarm.com/",
                "tags": ["service"],
            }
        ],
        "hooks": [_modules("hooks.renderbus")],
        "operators": [
            _modules(
                "operators.render",
                "operators.tasks",
                "operators.task_actions",
                "operators.transfers",
            )
        ],
        "sensors": [_modules("sensors.tasks", "sensors.conditions")],
        "triggers": [_modules("triggers.tasks", "triggers.conditions")],
        "extra-links": [f"{_PACKAGE}.links.RenderbusTaskLink"],
        "connection-types": [
            {
                "connection-type": "renderbus",
                "hook-class-name": f"{_PACKAGE}.hooks.renderbus.RenderbusHook",
                "hook-name": "Renderbus",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": {
                    name: {"label": extra.label, "schema": extra.schema, "description": extra.description}
                    for name, extra in EXTRA_FIELDS.items()
                },
            }
        ],
        "config": {
            "renderbus": {
                "description": "Settings of the Renderbus provider.",
                "options": {
                    "poll_interval": _seconds("Between two looks at a render, where a task sets none.", "30"),
                    "connect_timeout": _seconds(
                        "Until a connection to the farm must stand, where the connection sets none.", "10"
                    ),
                    "read_timeout": _seconds(
                        "That the farm may stay silent, where the connection sets none.", "60"
                    ),
                    "transfer_command": _path(
                        "The vendor's rayvision_transmitter on the workers, where the connection names none.",
                        "/opt/rayvision/transmission/linux/rayvision_transmitter",
                    ),
                    "transfer_folder": _path(
                        "Folder of a worker for what transfers remember and for the command's own logs; "
                        "renderbus in AIRFLOW_HOME where it is empty.",
                        "/var/lib/renderbus",
                    ),
                    "transfer_silence": _seconds(
                        "Without progress after which a transfer is ended, where a task sets none.", "900"
                    ),
                },
            }
        },
    }


def _modules(*names: str) -> dict[str, Any]:
    return {
        "integration-name": _INTEGRATION,
        "python-modules": [f"{_PACKAGE}.{name}" for name in names],
    }


def _path(description: str, example: str) -> dict[str, Any]:
    return {
        "description": f"Path. {description}",
        "version_added": "0.1.0",
        "type": "string",
        "example": example,
        "default": "",
    }


def _seconds(description: str, default: str) -> dict[str, Any]:
    return {
        "description": f"Seconds. {description}",
        "version_added": "0.1.0",
        "type": "float",
        "example": None,
        "default": default,
    }
