"""One run of the transfer command as an argument list.

The flags are those of the vendor's Python client (rayvision-sync 3.1.8) and of the command's own help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_renderbus.transfer.routes import ENGINE

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_renderbus.transfer.routes import Route

FASTEST = 1048576
"""The largest speed limit that the command takes, in KB/s."""
_CONNECTION_FAILURES = "2"
_NO_RESUME = "None"


@dataclass(frozen=True, slots=True)
class Order:
    """What the command is to do.

    :param kind: ``upload_json``, ``download_path`` or ``download_list``.
    :param route: the way to the storage.
    :param local: an upload.json, or the folder that is downloaded into.
    :param remote: ``/`` for an upload.json, the path in the storage for ``download_path``, the local file
        with a path a line for ``download_list``.
    :param resume: ini file of the resume database, where there is one.
    :param speed_limit: KB/s.
    """

    kind: Literal["upload_json", "download_path", "download_list"]
    route: Route
    local: Path
    remote: str
    resume: Path | None = None
    speed_limit: int = FASTEST

    def arguments(self) -> list[str]:
        """Return the arguments after the command's own name. They go to no shell."""
        values = {
            "-E": ENGINE,
            "-H": self.route.server,
            "-P": self.route.port,
            "-S": self.route.storage_id,
            "-U": self.route.user_id,
            "-T": self.kind,
            "-L": str(self.local),
            "-R": self.remote,
            "-r": _CONNECTION_FAILURES,
            # Frames keep the folders of the storage; an upload.json says itself where each file goes.
            "-K": "false" if self.kind == "upload_json" else "true",
            "-s": str(self.speed_limit),
            "-C": str(self.resume) if self.resume else _NO_RESUME,
        }
        return [word for pair in values.items() for word in pair]
