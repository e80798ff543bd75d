"""Fields of task.json, and those that all software has in common.

The tables here and in `software` are the one source of the builder, the schema, docs/software.md and the
error messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_renderbus.api.call import drop_none

Schema = dict[str, Any]

# Kinds of fields, as JSON Schema. Every value is a string, numbers and switches too.
TEXT: Schema = {"type": "string"}
DIGITS: Schema = {"type": "string", "format": "whole-number"}
SWITCH: Schema = {"type": "string", "x-known-values": ["0", "1"]}
FRAMES: Schema = {"type": "string", "format": "frames"}
TEXTS: Schema = {"type": "array", "items": TEXT}
LIST: Schema = {"type": "array"}
OBJECT: Schema = {"type": "object"}
ANYTHING: Schema = {}


def one_of(*values: str) -> Schema:
    """Return the kind of a field with a few values; others are warnings."""
    return {"type": "string", "x-known-values": list(values)}


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field of task.json.

    :param name: its name; a dot separates it from the object that it is in: "common.frames".
    :param schema: its kind.
    :param argument: the argument of `build_task_json` that sets it, "" if there is none.
    :param default: what the builder writes if the argument is omitted; None: no field.
    :param is_read: whether the farm's render script reads it, so that it must not be missing.
    :param is_derived: whether its value follows from the argument in another way than being its value.
    """

    name: str
    schema: Schema
    argument: str = ""
    default: Any = None
    is_read: bool = False
    is_derived: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Layers, nodes, images or jobs, which are rendered one by one; or the scene as a whole.

    :param argument: the argument of `build_task_json` that names those to render, "" for a scene as a whole.
    :param place: the field of the scene with all of them, "" for the scene itself.
    :param name_field: the field with the name of one; "" if they are in an object by name.
    :param switch: the field that says whether one is rendered.
    :param fields: the fields of one, without name and switch.
    :param inner: the things inside one of these, e.g. the layers of an image.
    :param needs_outer: whether one is only rendered if that which it is inside of is switched on too.
    :param is_selected_alone: whether the other groups stay as they are if some of this group are named.
    :param changes_all: whether all get frames and size if none is named, not only those that render.
    """

    argument: str = ""
    place: str = ""
    name_field: str = ""
    switch: str = ""
    fields: tuple[Field, ...] = ()
    inner: Group | None = None
    needs_outer: bool = False
    is_selected_alone: bool = False
    changes_all: bool = False

    def all_fields(self) -> tuple[Field, ...]:
        """Return the fields of one, with name and switch."""
        name = (Field(self.name_field, TEXT, self.argument, is_read=True),) if self.name_field else ()
        switch = (Field(self.switch, SWITCH, default="1", is_read=True),) if self.switch else ()
        return (*name, *switch, *self.fields)


@dataclass(frozen=True, slots=True, eq=False)
class Software:
    """A software that the farm renders with.

    :param cg_id: its id.
    :param name: its name.
    :param cg_name: its name in ``software_config``, as the farm writes it.
    :param aliases: other names that people and the vendor write.
    :param extensions: the extensions of its scene files.
    :param has_linux: whether the farm has Linux machines for it; None: not documented.
    :param analysis: how the vendor's documents say that a scene is analyzed.
    :param groups: what is rendered of a scene.
    :param scene_fields: other fields of a scene.
    :param own_arguments: arguments of `build_task_json` for this software that the scene has no field for.
    :param required: arguments that the builder requires beside version and scene if there is no base. A tuple
        in it: one of these arguments.
    :param forbidden: arguments of all software that this one has no use for, with the reason.
    :param task_info: fields of ``task_info`` that differ from the others' defaults.
    :param top_level: fields of the file itself.
    :param formats: image formats as the software names them, by other names that people write.
    :param renderers: renderers likewise. Maya writes these names only; the others may write further ones.
    """

    cg_id: int
    name: str
    cg_name: str = ""
    aliases: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    has_linux: bool | None = None
    analysis: str = ""
    groups: tuple[Group, ...] = ()
    scene_fields: tuple[Field, ...] = ()
    own_arguments: tuple[str, ...] = ()
    required: tuple[str | tuple[str, ...], ...] = ()
    forbidden: dict[str, str] = field(default_factory=dict)
    task_info: dict[str, str] = field(default_factory=dict)
    top_level: dict[str, str] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    renderers: dict[str, str] = field(default_factory=dict)

    def all_groups(self) -> tuple[Group, ...]:
        """Return the groups, each before the one inside it."""
        return tuple(each for group in self.groups for each in (group, group.inner) if each is not None)

    def scene_arguments(self) -> tuple[str, ...]:
        """Return the arguments of `build_task_json` about what is rendered."""
        groups = self.all_groups()
        names = [entry.argument for group in groups for entry in group.all_fields()]
        return tuple(
            dict.fromkeys(filter(None, (*(group.argument for group in groups), *names, *self.own_arguments)))
        )


# Source: the vendor's documentation of task_info, and the defaults of its released client.
TASK_INFO: tuple[Field, ...] = (
    Field("input_cg_file", TEXT, "scene", is_read=True),
    Field("input_project_path", TEXT, "project_path", ""),
    Field("project_name", {"type": ["string", "null"]}, "project_name", ""),
    Field("frames_per_task", DIGITS, "frames_per_task", "1"),
    Field("pre_frames", {"type": "string", "format": "test-frames"}, "test_frames", "000"),
    Field("stop_after_test", one_of("1", "2"), "pause_after_test_frames", "2"),
    Field("job_stop_time", DIGITS, "frame_timeout", "259200"),
    Field("task_stop_time", DIGITS, "task_timeout", "0"),
    Field("time_out", DIGITS, "warn_after", "43200"),
    Field("tiles", DIGITS, "tiles", "1"),
    Field("tiles_type", one_of("block", "strip"), "tiles_type", "block"),
    Field("is_layer_rendering", SWITCH, default="1"),
    Field("enable_layered", SWITCH, "layers", "0", is_derived=True),
    Field("render_layer_type", SWITCH, "render_setup", "0"),
    Field("is_distribute_render", SWITCH, "distributed_nodes", "0", is_derived=True),
    Field("distribute_render_node", DIGITS, "distributed_nodes", "3", is_derived=True),
    Field("is_picture", SWITCH, default="0"),
    Field("os_name", SWITCH, "os_name", "1"),
    Field("ram", one_of("64", "128"), "ram_gb", "64"),
    Field("channel", one_of("1", "2", "3", "4", "8"), default="4"),
    Field("graphics_cards_num", DIGITS, "gpu_num", "2"),
    Field("project_id", TEXT),
    # The vendor's job check wants the field before it fills it in.
    Field("hardwareConfigIds", {"type": "array", "items": {"type": ["string", "integer"]}}, default=[]),
    Field("hardwareConfigId", TEXT),
    Field("pack_node_id", TEXT),
    Field("clone_original_id", TEXT),
    Field("concurrent_tasks", TEXT),
    Field("edit_name", TEXT),
    Field("geo_node_dependency", SWITCH, "geo_nodes_in_order", is_derived=True),
    Field("multi_node", TEXT),
    Field("test_frames", TEXT),
    Field("version", TEXT),
)
"""The fields of ``task_info``, but cg_id and those that are completed before the upload."""

COMPLETED = ("task_id", "user_id", "platform")
"""Fields of ``task_info`` that are set before the upload, so that their type does not matter."""

SOFTWARE_CONFIG: tuple[Field, ...] = (
    Field("cg_name", TEXT, "software", is_read=True, is_derived=True),
    Field("cg_version", TEXT, "version", is_read=True),
    Field("plugins", {"type": ["object", "null"], "additionalProperties": TEXT}, "plugins", is_read=True),
    Field("cg_inst_dir", TEXT, "version", is_derived=True),
)
"""The fields of ``software_config``."""

DEFAULTS: dict[str, Any] = drop_none(**{each.name: each.default for each in TASK_INFO})
"""The values of ``task_info`` that the builder writes if nothing else is given."""
