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
# The last snippet is a task that wants a DAG; those before it are DAGs.
_AROUND_THE_TASK = """

@dag(schedule=None)
def hook_in_a_task():
    money_left()


hook_in_a_task()
"""
SCENE = "projects/sh010.blend"


def as_dag_file(mnt: Path) -> str:
    """Return a file with the DAGs `one_shot`, `in_steps` and `hook_in_a_task`.

    :param mnt: a folder to stand for `/mnt`, where the scene is put.
    """
    scene = mnt / SCENE
    scene.parent.mkdir(parents=True)
    scene.write_text("a scene")
    return "\n\n".join([*SNIPPETS, as_on_this_line(_AROUND_THE_TASK)]).replace('"/mnt/', f'"{mnt}/')
