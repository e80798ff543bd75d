"""The resume database of the transfer command: what was sent before and has not changed is not sent again."""

from __future__ import annotations

import os
import tempfile
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_renderbus.transfer.routes import Route


def resume_ini(folder: Path, platform: str, route: Route) -> Path:
    """Write the ini file that the command's ``-C`` names, and return its path.

    Sections and keys are those that the vendor's Python client writes.

    :param folder: of this connection on this worker, for ini file and database; made where it is missing.
    :param platform: number of the render platform.
    :param route: the way to the storage: what was sent to one is not in another.
    :raises OSError: it cannot be written.
    """
    folder.mkdir(0o700, parents=True, exist_ok=True)
    storage = f"{route.storage_id}-{route.user_id}"
    settings = ConfigParser(interpolation=None)
    settings["database"] = {"on": "true", "platform_id": platform, "type": "sqlite"}
    settings["redis"] = {
        "host": "127.0.0.1",
        "port": "6379",
        "password": "",
        "table_index": "0",
        "timeout": "5000",
    }
    settings["sqlite"] = {"db_path": str(folder / f"sent-{storage}.db"), "temporary": "false"}
    ini = folder / f"resume-{storage}.ini"
    # Another transfer of this connection may read it at this moment.
    descriptor, new = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        settings.write(file)
    Path(new).replace(ini)
    return ini
