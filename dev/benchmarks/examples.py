"""The data to measure with: examples of the vendor's API document, which the tests read too."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

_ANSWERS = Path(__file__).parents[2] / "tests" / "data" / "seed_answers.json"


def example_answer(section: str) -> dict[str, Any]:
    """Return a fresh copy of the example response in a section of the vendor's document."""
    answer: dict[str, Any] = json.loads(_ANSWERS.read_text("utf-8"))["sections"][section]
    return answer


def page_of_layered_tasks(count: int) -> bytes:
    """Return a response with this many of the example's layered tasks, each with a photon and a main pass."""
    answer = example_answer("获取任务列表")
    (example, *_) = answer["data"]["items"]
    tasks = [copy.deepcopy(example) for _ in range(count)]
    for place, task in enumerate(tasks):
        for part in (task, *task["respRenderingTaskList"]):
            part["id"] += 10 * place
    answer["data"].update(items=tasks, pageCount=1, total=count, size=count)
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def large_task_json(size: int) -> str:
    """Return a task.json of about `size` characters, all of them ASCII: a scene with very many layers."""
    layer = {"renderable": "1", "is_default_camera": "1", "common": {"frames": "1-100[1]", "width": "1920"}}
    count = size // len(json.dumps({"layer_00000": layer}))
    layers = {f"layer_{place:05}": layer for place in range(count)}
    return json.dumps({"software_config": {"cg_name": "Maya"}, "scene_info": layers})
