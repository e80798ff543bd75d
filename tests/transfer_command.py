"""The farm's transfer command from this source tree, for an Airflow without the farm installed."""

import sys
from pathlib import Path

SCRIPT = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from airflow_provider_renderbus.farm.transmitter.command import main
sys.exit(main())
"""


def transfer_command(folder):
    """Write the command into a new folder and return its path."""
    path = folder / "renderbus-farm-transmitter"
    folder.mkdir()
    path.write_text(SCRIPT)
    path.chmod(0o755)
    return path
