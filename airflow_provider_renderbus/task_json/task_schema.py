"""Makes the JSON Schema of task.json from the tables in `fields` and `software`.

An error of the schema is what no reader of a file could accept: a missing object or a wrong type. Everything
else is a warning, by the keywords of `schema_keywords`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.task_json.fields import (
    COMPLETED,
    OBJECT,
    SOFTWARE_CONFIG,
    TASK_INFO,
    TEXT,
    TEXTS,
    Schema,
)
from airflow_provider_renderbus.task_json.software import MAYA, NUKE, SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.task_json.fields import Field, Group, Software

_TEXT_OR_NUMBER: Schema = {"type": ["string", "integer"]}
_DESCRIPTION = (
    "What is rendered, with which software, and how. Errors are missing objects and wrong types only. The "
    "keywords x-known-values, x-known-properties, x-recommended and format give warnings."
)


def task_schema() -> dict[str, Any]:
    """Return the JSON Schema of task.json."""
    task_info = _object(TASK_INFO)
    task_info["properties"] |= {
        # Null in the files of software that has no id yet.
        "cg_id": {"type": ["string", "null"], "x-known-values": [str(cg_id) for cg_id in SOFTWARE]},
        **{field: {"description": "Set before the upload.", **_TEXT_OR_NUMBER} for field in COMPLETED},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "task.json",
        "description": _DESCRIPTION,
        "type": "object",
        "required": ["software_config", "task_info"],
        "properties": {
            "software_config": _object(SOFTWARE_CONFIG) | {"x-known-properties": True},
            "task_info": {
                **task_info,
                "additionalProperties": TEXT,
                "x-known-properties": True,
                "x-recommended": ["cg_id", *task_info["x-recommended"]],
            },
            "scene_info_render": {"description": "An object, see below. Its shape depends on cg_id."},
            "scene_info": {"description": "Used if scene_info_render is missing or empty.", **OBJECT},
            "layers": {"description": "Names of Maya layers.", **TEXTS},
            "additional_info": OBJECT,
            "concurrent_tasks": {"description": "Nuke.", **TEXT},
            "mnt_map": {"description": "Paths by drive, as an analysis of Maya writes them.", **OBJECT},
        },
        "x-known-properties": True,
        "allOf": [
            {"if": _is_software(MAYA), "then": {"x-recommended": ["layers"]}},
            {"if": _is_software(NUKE), "then": {"x-recommended": ["concurrent_tasks"]}},
        ],
        "if": {
            "required": ["scene_info"],
            "not": {
                "required": ["scene_info_render"],
                "properties": {"scene_info_render": {"minProperties": 1}},
            },
        },
        "then": _scene_of_software("scene_info"),
        "else": {
            "required": ["scene_info_render"],
            "properties": {"scene_info_render": OBJECT},
            **_scene_of_software("scene_info_render"),
        },
        # Whether the scene is an object is checked where it is used.
        "$defs": {
            f"scene_{each.cg_id}": {key: value for key, value in _scene(each).items() if key != "type"}
            for each in SOFTWARE.values()
            if each.groups
        },
    }


def _is_software(cg_id: int) -> Schema:
    info = {"type": "object", "required": ["cg_id"], "properties": {"cg_id": {"const": str(cg_id)}}}
    return {"required": ["task_info"], "properties": {"task_info": info}}


def _scene_of_software(key: str) -> Schema:
    """Return that the scene under a key must be one of the software."""
    return {
        "allOf": [
            {
                "if": _is_software(each.cg_id),
                "then": {"properties": {key: {"$ref": f"#/$defs/scene_{each.cg_id}"}}},
            }
            for each in SOFTWARE.values()
            if each.groups
        ]
    }


def _scene(software: Software) -> Schema:
    first = software.groups[0]
    if not first.argument:
        return _object(first.fields)
    if not first.place:
        return {
            "description": "at least one layer",
            "minProperties": 1,
            "additionalProperties": _things(first),
        }
    scene = _object(software.scene_fields)
    for group in software.groups:
        scene["properties"][group.place] = (
            {"type": "array", "items": _things(group)}
            if group.name_field
            else {"type": "object", "additionalProperties": _things(group)}
        )
    places = [group.place for group in software.groups]
    if len(places) > 1:
        scene |= {
            "description": f"one of {', '.join(places)}",
            "anyOf": [{"required": [each]} for each in places],
        }
    else:
        scene["required"] = places
    return scene


def _things(group: Group) -> Schema:
    """Return the schema of a layer, node, image or job."""
    schema = _object(group.all_fields())
    if group.inner is not None:
        schema["properties"][group.inner.place] = {"type": "array", "items": _things(group.inner)}
        if group.inner.needs_outer:
            schema["required"].append(group.inner.place)
    return schema


def _object(fields: Iterable[Field]) -> Schema:
    """Return the schema of an object with fields, which may be fields of objects in it."""
    schema = _empty_object()
    for field in fields:
        *parents, name = field.name.split(".")
        holder = schema
        for parent in parents:
            holder = holder["properties"].setdefault(parent, _empty_object())
        holder["properties"][name] = field.schema
        if field.is_read:
            holder["x-recommended"].append(name)
    if "common" in schema["properties"]:
        schema["required"].append("common")
    return schema


def _empty_object() -> Schema:
    """Return an object in which only a field nearly like a known one is a warning: real files have more."""
    return {**OBJECT, "required": [], "properties": {}, "x-recommended": [], "x-known-properties": False}
