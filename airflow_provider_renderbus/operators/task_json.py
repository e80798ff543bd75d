"""Completing a task.json before it is uploaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def filled_in(task_json: Mapping[str, Any] | str, *, task_id: int, user_id: int, platform: int | str) -> str:
    """Return a task.json as text, with what only the farm and the connection know.

    :param task_json: the file, as a mapping or as JSON text.
    :param task_id: number of the created task.
    :param user_id: number of the account's user.
    :param platform: number of the render platform.
    :raises ValueError: it is no JSON object, or has no object `task_info`.
    """
    described = _loaded(task_json)
    info = described.get("task_info")
    if not isinstance(info, Mapping):
        raise ValueError(f"task_json: an object task_info is wanted in it, there is {_kind(info)}")
    # Every value in task_info is text on the farm, numbers too.
    known = {"task_id": str(task_id), "user_id": str(user_id), "platform": str(platform)}
    return json.dumps({**described, "task_info": {**info, **known}}, ensure_ascii=False)


def _loaded(task_json: Mapping[str, Any] | str) -> Mapping[str, Any]:
    described: Any = task_json
    if isinstance(task_json, str):
        try:
            described = json.loads(task_json)
        except ValueError as problem:
            raise ValueError(f"task_json: a mapping or JSON text is wanted: {problem}") from None
    if not isinstance(described, Mapping):
        raise ValueError(f"task_json: a JSON object is wanted, not {_kind(described)}")
    return described


def _kind(value: Any) -> str:
    return "none" if value is None else f"a {type(value).__name__}"
