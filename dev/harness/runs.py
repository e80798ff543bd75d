"""Folders for runs of the demo and of its like."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path


def new_folder(runs: Path) -> Path:
    """Make a folder for a run, which `latest` beside it then leads to."""
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))
    link = folder / "latest"
    link.symlink_to(folder.name)
    link.rename(runs / link.name)
    return folder
