"""Names a mapped Airflow task after the shot that it renders, instead of 0, 1, 2."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path, PureWindowsPath
from typing import Any

from airflow_provider_renderbus.api.text import printable

log = logging.getLogger(__name__)

MAX_NAME_CHARS = 100
"""Characters of a name. Airflow's column holds 250."""
_VARIABLE = "renderbus_shot"
_MAX_FILE_BYTES = 1_000_000


def shot_name(labels: Any, task_json: Any) -> str | None:
    """Return the name of a render: its labels or, without any, its scene without folder and ending.

    :param labels: a list of labels, or None.
    :param task_json: a mapping, JSON text or a path ending in .json, or None.
    :return: the name, or None if neither has one, also if task.json cannot be read: its own check says why.
    """
    if isinstance(labels, str):
        labels = [labels]
    parts = [str(label).strip() for label in labels if label] if isinstance(labels, Sequence) else []
    if name := _fit(", ".join(parts)):
        return name
    try:
        return scene_stem(_load(task_json)["task_info"]["input_cg_file"])
    except Exception:  # noqa: BLE001 - a name is not to fail a task
        return None


def scene_stem(scene: str | None) -> str | None:
    """Return the name of a scene's file without folder and ending, None if it has no name."""
    return _fit(PureWindowsPath(scene).stem) if scene else None


def show_shot_name(context: Any, name: str | None) -> None:
    """Show a name for this instance of a mapped task in the grid and the log of Airflow's UI.

    Airflow renders `map_index_template` with the context once templates are rendered (from 3.2 on), and when
    the task leaves its worker. An author's own template stays.

    :param context: of the Airflow task.
    :param name: of the shot; None changes nothing.
    """
    if name is None or getattr(context.get("ti"), "map_index", -1) < 0:
        return
    template = f"{{{{ {_VARIABLE} }}}}"
    if context.get("map_index_template") not in {None, template}:
        return
    dag = context.get("dag")
    # A native environment evaluates what it renders: "010" would become a number, which Airflow refuses.
    is_native = getattr(dag, "render_template_as_native_obj", False)
    context["map_index_template"] = template
    context[_VARIABLE] = repr(name) if is_native else name


def _load(task_json: Any) -> Any:
    if isinstance(task_json, Mapping):
        return task_json
    if isinstance(task_json, PathLike) or task_json.rstrip().lower().endswith(".json"):
        path = Path(fspath(task_json).strip())
        if not path.is_file() or path.stat().st_size > _MAX_FILE_BYTES:  # reading a pipe would block
            return {}
        return json.loads(path.read_text("utf-8-sig"))
    return json.loads(task_json)


def _fit(name: str) -> str | None:
    return printable(name, MAX_NAME_CHARS).strip() or None
