"""The folder on a worker for what the provider keeps there."""

from __future__ import annotations

import os
from pathlib import Path

from airflow_provider_renderbus.compat import conf


def state_folder() -> Path:
    """Return ``[renderbus] transfer_state_folder``, or the folder ``renderbus`` in AIRFLOW_HOME."""
    home = os.environ.get("AIRFLOW_HOME", "~/airflow")
    folder = conf.get("renderbus", "transfer_state_folder", fallback="") or f"{home}/renderbus"
    return Path(folder).expanduser()
