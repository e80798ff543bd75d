"""The snippets of the README as a DAG file."""

from __future__ import annotations

import re
from pathlib import Path

from tests.airflow_version import adapt_to_line

README = Path(__file__).parents[1].joinpath("README.md").read_text("utf-8")
SNIPPETS = [
    adapt_to_line(snippet)
    for snippet in re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
]
# The last snippet is a task, which needs a DAG; the others are DAGs.
_TASK_DAG = """

@dag(schedule=None)
def hook_in_a_task():
    available_funds()


hook_in_a_task()
"""
SCENE = "projects/sh010.hip"


def as_dag_file(mnt: Path) -> str:
    """Return a file with the DAGs `one_shot`, `night`, `in_steps` and `hook_in_a_task`.

    :param mnt: the folder that replaces `/mnt`; gets the scene file.
    """
    scene = mnt / SCENE
    scene.parent.mkdir(parents=True)
    scene.write_text("a scene")
    return "\n\n".join([*SNIPPETS, adapt_to_line(_TASK_DAG)]).replace('"/mnt/', f'"{mnt}/')
