"""JSON that is near to what the farm sends and wrong in some places."""

import dataclasses
import importlib
import inspect
import pkgutil

from airflow_provider_renderbus.api import calls, models

TASK_ID = 35000001
# Arguments without defaults, by name.
_ARGUMENTS = {
    "task_id": TASK_ID,
    "task_ids": [TASK_ID],
    "label": "a",
    "label_names": ["a"],
    "new_name": "a",
    "del_name": "a",
    "edit_name": "a",
    "cg_id": 2007,
    "cg_name": "Blender",
    "cg_version": "4.2",
    "render_system": 0,
    "plugin_ids": [1],
    "hardware_config_ids": ["1"],
    "model": "Default",
    "ram": "64GB",
    "ids": [1],
    "id": 1,
    "task_user_level": 50,
    "over_time": 60,
    "task_limit": 1,
    "task_over_time_sec": 60,
    "zone": 1,
    "platform": "W2",
    "content": "{}",
    "code": "1",
}
_EXTRA = {
    "stop_frames": {"task_id": TASK_ID, "ids": [1]},
    "recommit_frames": {"task_id": TASK_ID, "select_all": 1},
    "query_error_detail": {"code": "1"},
    "query_platforms": {"zone": 1},
    "get_render_env": {"cg_id": 2007},
}


def all_calls():
    """Return one of each call."""
    return [getattr(calls, name)(**valid_arguments(name)) for name in calls.__all__]


def valid_arguments(name):
    """Return arguments that a call accepts."""
    parameters = inspect.signature(getattr(calls, name)).parameters.values()
    required = [each.name for each in parameters if each.default is each.empty]
    return _EXTRA.get(name, {each: _ARGUMENTS[each] for each in required})


def _models():
    """Yield all models, beside the calls and in modules of their own."""
    for package in (calls, models):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for each in vars(importlib.import_module(module.name)).values():
                if dataclasses.is_dataclass(each) and each.__module__ == module.name:
                    yield each


# The farm's names of the fields, by model.
KEYS = {
    model.__name__: keys
    for model in _models()
    if (
        keys := [
            each.metadata["json_key"] for each in dataclasses.fields(model) if "json_key" in each.metadata
        ]
    )
}
_LISTS = {
    "items",
    "respRenderingTaskList",
    "resqEngines",
    "respTaskEngineLines",
    "resqEngineAccounts",
    "subUserOutputBids",
    "sub_user_output_bids",
    "projectNameList",
}
LEAVES = [
    *[None, True, False, 0, 1, -1, 25, 2**31, 2**63, -(2**63), 10**400, 0.1, -0.0, 1e308, 5e-324],
    *["", " ", "0", "-1", "1_000", "\u0663\u0665", " 7\n", "1e5", "NaN", "9" * 5000, "A" * 10_000, "\ud800"],
    *["\x00", "\u202e<script>", "..", "/", "//", "/a\nb", "-x", "C:\\Windows", "2026-13-99", "SUCCESS", "{}"],
    *[[], {}, [None], [[]], [{}], {"": None}, {"items": None}, {"items": {}}, [1, "a", None, {}]],
    *[1798761600000, 253402300799999, 253402300800000, -62135596800001, 8.64e15],
]
_NEAR = [0, 1, 25, TASK_ID, str(TASK_ID), "0.67", 0.67, "x", True, 1798761600000, None]


def value(rng, depth=0):
    """Return any JSON."""
    kind = rng.random()
    if depth > 4 or kind < 0.55:
        return rng.choice(LEAVES)
    if kind < 0.7:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return record(rng, depth + 1)


def record(rng, depth=0, keys=None):
    """Return an object with the fields of a model, most of them of about the right type."""
    keys = keys or rng.choice(list(KEYS.values()))
    return {
        key: _near(rng, key, depth) if rng.random() < 0.8 else value(rng, depth + 1)
        for key in keys
        if rng.random() < 0.9
    }


def page(rng, keys):
    """Return a page of records of one model, with odd counts."""
    counts = [0, 1, 2, 3, 10**12, -1, "2", None]
    return {
        "items": [record(rng, 1, keys) for _ in range(rng.randrange(4))],
        "pageCount": rng.choice(counts),
        "total": rng.choice(counts),
        "pageNum": 1,
    }


def _near(rng, key, depth):
    if key in _LISTS:
        return [record(rng, depth + 1) if depth < 4 else {} for _ in range(rng.randrange(3))]
    if key in {"id", "taskId", "userId", "projectId"}:
        return TASK_ID
    return rng.choice(_NEAR)
