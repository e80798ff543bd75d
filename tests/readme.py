"""The quickstart and the recipes of the README, as a new user pastes them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.airflow_version import LINE, adapt_to_line

README = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
RECIPES = {
    re.search(r"^@dag\(.*\)\ndef (\w+)\(", block, re.MULTILINE)[1]: adapt_to_line(block)
    for block in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
}
"""The DAG file of each recipe, by the id of its DAG."""


def section(heading: str) -> str:
    """Return a section of the README."""
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


START_FARM, QUICKSTART = re.findall(r"^```bash\n(.*?)^```", section("Quickstart"), re.MULTILINE | re.DOTALL)
"""What the quickstart has users paste into the first terminal, and into the second one."""


def quickstart_in(folder: Path, line: tuple[int, int] = LINE) -> str:
    """Return what is pasted into the second terminal, in another folder and environment."""
    script = adapt_to_line(QUICKSTART, line).replace("/tmp/quickstart", str(folder))
    return script.replace(". .venv/bin/activate\n", "")
