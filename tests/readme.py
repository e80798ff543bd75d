"""The README's snippets as a DAG file."""

from __future__ import annotations

import re
from pathlib import Path

from tests.airflow_version import as_on_this_line

README = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
SNIPPETS = [
    as_on_this_line(snippet)
    for snippet in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
]
# The first snippet is a DAG, the second a task that wants one.
_AROUND_THE_TASK = """

@dag(schedule=None)
def hook_in_a_task():
    money_left()


hook_in_a_task()
"""


def as_dag_file() -> str:
    """Return a file with the DAGs `one_shot` and `hook_in_a_task`."""
    shot, hook = SNIPPETS
    return shot + hook + as_on_this_line(_AROUND_THE_TASK)
