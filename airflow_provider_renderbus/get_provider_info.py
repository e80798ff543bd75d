"""The provider information that Airflow reads through the package's entry point."""

from __future__ import annotations

from typing import Any

from airflow_provider_renderbus import __version__
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR

_PACKAGE = "airflow_provider_renderbus"
_INTEGRATION = "Renderbus"


def get_provider_info() -> dict[str, Any]:
    """Return the provider information. Airflow 3.2 and later build the connection form from it alone."""
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
                "operators.download_frames",
                "operators.leftovers",
                "operators.approval",
            )
        ],
        "sensors": [_modules("sensors.tasks", "sensors.conditions")],
        "triggers": [_modules("triggers.tasks", "triggers.conditions")],
        "task-decorators": [
            {"class-name": f"{_PACKAGE}.decorators.renderbus.renderbus_task", "name": "renderbus"}
        ],
        "extra-links": [
            f"{_PACKAGE}.links.RenderbusTaskLink",
            f"{_PACKAGE}.links.RenderbusFramesLink",
        ],
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
                    "poll_interval": _option(
                        "Seconds between polls of a render when the task does not set poll_interval.",
                        "float",
                        "30",
                    ),
                    "connect_timeout": _option(
                        "Seconds to wait for a connection to the farm when the Airflow connection does "
                        "not set connect_timeout.",
                        "float",
                        "10",
                    ),
                    "read_timeout": _option(
                        "Seconds to wait for data of a response when the Airflow connection does not "
                        "set read_timeout.",
                        "float",
                        "60",
                    ),
                    "frames_interval": _option(
                        "Seconds between queries of the farm for the page Frames, whose viewers share them.",
                        "float",
                        "10",
                    ),
                    "thumbnails_folder": _option(
                        "Path of a folder to which downloads write a small JPEG of each frame, and from "
                        "which the page Frames takes those that the farm does not have; none if empty. "
                        "Workers and API server share it.",
                        "string",
                        "",
                        "/mnt/studio/thumbnails",
                    ),
                    "frames_roots": _option(
                        "Paths of folders, separated by commas, below which the API server may read pictures "
                        "for the page Frames; none if empty.",
                        "string",
                        "",
                        "/mnt/studio/thumbnails",
                    ),
                    "transfer_command": _option(
                        "Path of the vendor's rayvision_transmitter on the workers when the Airflow "
                        "connection does not set transfer_command.",
                        "string",
                        "",
                        "/opt/rayvision/transmission/linux/rayvision_transmitter",
                    ),
                    "transfer_state_folder": _option(
                        "Path of a folder on the workers for the state of transfers, the logs of the "
                        "transfer command and the farm's lists of software; the folder renderbus in "
                        "AIRFLOW_HOME if empty.",
                        "string",
                        "",
                        "/var/lib/renderbus",
                    ),
                    "transfer_memory": _option(
                        'How long a worker skips unchanged files that it has uploaded: "task" for the '
                        'retries of one task, or "worker" for all uploads, which is right only if one '
                        "worker uploads and no other machine writes to the farm's input storage.",
                        "string",
                        "task",
                        "worker",
                    ),
                    "transfer_stall_timeout": _option(
                        "Seconds without progress until a transfer is cancelled when the task does not set a "
                        "stall timeout.",
                        "float",
                        "900",
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


def _option(description: str, kind: str, default: str, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }
