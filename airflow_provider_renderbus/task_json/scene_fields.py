"""The fields of a scene for each software: of its layers, nodes, images or jobs, or of the scene as a whole.

Sources: see `software`.
"""

from __future__ import annotations

from airflow_provider_renderbus.task_json.fields import (
    ANYTHING,
    DIGITS,
    FRAMES,
    LIST,
    OBJECT,
    SWITCH,
    TEXT,
    TEXTS,
    Field,
    Group,
    one_of,
)

_NULLABLE = {"type": ["string", "null"]}


def _size(prefix: str, *, is_read: bool) -> tuple[Field, ...]:
    return (
        Field(f"{prefix}frames", FRAMES, "frames", is_read=True),
        Field(f"{prefix}width", DIGITS, "width", is_read=is_read),
        Field(f"{prefix}height", DIGITS, "height", is_read=is_read),
    )


def _known(prefix: str, names: str, schema: dict[str, object]) -> tuple[Field, ...]:
    """Return fields that real files have, and that the builder does not set."""
    return tuple(Field(f"{prefix}{name}", schema) for name in names.split())


MAYA_LAYER = Group(
    "layers",
    switch="renderable",
    changes_all=True,
    fields=(
        Field("env", OBJECT, default={}),
        Field("is_default_camera", SWITCH, default="1", is_read=True),
        # An object for the renderers in RENDERERS_WITH_OPTIONS.
        Field("option", {"type": ["string", "object"]}, default="", is_read=True),
        *_size("common.", is_read=True),
        Field("common.start", TEXT, "frames", is_read=True, is_derived=True),
        Field("common.end", TEXT, "frames", is_read=True, is_derived=True),
        Field("common.by_frame", TEXT, "frames", is_read=True, is_derived=True),
        Field("common.renderer", TEXT, "renderer", is_read=True),
        Field("common.image_format", TEXT, "image_format", "exr", is_read=True),
        Field("common.image_file_prefix", TEXT, "output", "", is_read=True),
        Field("common.all_camera", TEXTS, default=[], is_read=True),
        Field("common.render_camera", TEXTS, "camera", [], is_read=True),
        *_known("common.", "animation renumber_frames", TEXT),
    ),
)
MAX_SCENE = Group(
    fields=(
        *_size("common.", is_read=True),
        Field("common.all_camera", TEXTS, default=[], is_read=True),
        Field("common.renderable_camera", TEXTS, "camera", [], is_read=True),
        Field("common.output_file", TEXT, "output", is_read=True, is_derived=True),
        Field("common.output_file_basename", TEXT, "output", is_derived=True),
        Field("common.output_file_type", TEXT, "image_format", is_derived=True),
        Field("common.rend_save_file", TEXT, default="true"),
        Field("common.gamma", TEXT, default="1", is_read=True),
        Field("common.gamma_val", TEXT, default="2.2"),
        Field("common.in_gamma", TEXT, default="2.2"),
        Field("common.out_gamma", TEXT, default="2.2"),
        Field("common.is_picture", SWITCH, default="0"),
        Field("common.element_active", TEXT, default="0"),
        Field("common.element_list", TEXTS, default=[]),
        *_known("common.", "all_element_type all_output_file_type element_path_list", LIST),
        *_known("common.", "CurrentProjectFolder Faces Peak_Memory Vertices animation_range cgv", TEXT),
        *_known("common.", "element_type global_proxy net_render rend_timeType taskdurationlimit", TEXT),
        Field("renderer.name", TEXT, "renderer", is_read=True),
        Field("renderer.renderer", TEXT, "renderer", is_derived=True),
        Field("renderer.renderer_orign", TEXT),
    ),
)
CINEMA_4D_SCENE = Group(
    fields=(
        *_size("common.", is_read=True),
        Field("common.regular_image_format", TEXT, "image_format", is_read=True),
        Field("common.regular_image_saveimage_path", _NULLABLE, "output", is_read=True),
        Field("common.regular_image_save_enabled", SWITCH, default="1"),
        Field("common.multi_pass_format", TEXT, "image_format", is_read=True, is_derived=True),
        Field("common.multipass_saveimage_path", _NULLABLE, default="", is_read=True),
        Field("common.multipass_save_enabled", SWITCH, default="0", is_read=True),
        Field("common.multi_pass", OBJECT, default={}),
        Field("common.all_camera", TEXTS, default=[]),
        *_known("common.", "all_format all_take_name", TEXTS),
        *_known("common.", "all_take_info", LIST),
        *_known("common.", "fps frame_rate saved_version created_version", TEXT),
        *_known("common.", "multipass_saveonefile multipass_save_saveimage", TEXT),
        *_known("common.", "c4d_software_version isConstrained", ANYTHING),
        Field("renderer.name", TEXT, "renderer", is_read=True),
        *_known("renderer.", "physical_sampler physical_sampler_mode", TEXT),
        *_known("renderer.", "octane_renderer_info Octane_renderer_resave_info", OBJECT),
    ),
)
ARNOLD_SCENE = Group(fields=(Field("common.frames", FRAMES, "frames", is_read=True),))
BLENDER_SCENE = Group(
    fields=(
        *_size("common.", is_read=False),
        Field("common.camera_name", TEXT, "camera"),
        Field("common.Render_Format", TEXT, "image_format"),
        Field("common.Output_path", TEXT, "output"),
        Field("common.scene_name", TEXTS, "scene_names"),
    ),
)


def _houdini_nodes(argument: str, place: str, option: str, *fields: Field) -> Group:
    return Group(
        argument,
        place,
        "node",
        "render",
        fields=(
            Field("option", one_of("-1", "0", "1"), default=option, is_read=True),
            *_size("", is_read=False),
            *fields,
        ),
        is_selected_alone=True,
    )


HOUDINI_NODES = (
    _houdini_nodes("rop_nodes", "rop_node", "-1"),
    _houdini_nodes(
        "geo_nodes",
        "geo_node",
        "0",
        Field("geoDependencySort", TEXT, "geo_nodes_in_order", is_derived=True),
    ),
    _houdini_nodes(
        "distributed_sims",
        "distributedsim_node",
        "1",
        Field("num_slices", DIGITS, "distributed_sims", is_derived=True),
        *_known("", "output_driver output_file simControlName sliceType", TEXT),
    ),
)
_CLARISSE_FIELDS = (
    Field("frames", FRAMES, "frames", is_read=True),
    Field("output", TEXT, "output"),
    Field("format", TEXT, "image_format"),
    Field("save_to_disk", SWITCH, default="1"),
    *_known("", "LUT enable_deep_output enable_deep_output_path inw_output", TEXT),
)
CLARISSE_IMAGE = Group(
    "images",
    "image_node",
    "name",
    "renderable",
    fields=_CLARISSE_FIELDS,
    inner=Group("layers", "layers", "name", "renderable", fields=_CLARISSE_FIELDS),
)
NUKE_WRITE_NODE = Group(
    "write_nodes",
    "write_nodes",
    "node",
    "renderable",
    fields=(
        *_size("", is_read=True),
        Field("render_mode", one_of("0", "1", "2"), default="0", is_read=True),
        Field("option", one_of("-1", "0"), "image_format", "-1", is_read=True, is_derived=True),
        Field("file_type", TEXT, "image_format", is_derived=True),
        Field("out_file", TEXT, "output"),
        *_known("", "inputs proxy use_proxy", TEXT),
    ),
)
KATANA_RENDER_NODE = Group(
    "render_nodes",
    "rendernodes",
    switch="renderable",
    fields=(
        Field("frames", FRAMES, "frames", is_read=True),
        Field("denoise", SWITCH, default="0"),
        Field("aov", OBJECT, default={}, is_read=True),
    ),
)
_UNREAL_JOB = Group(
    "sequences",
    "render_job",
    "job_sequence",
    "is_enable",
    needs_outer=True,
    fields=(
        *_size("", is_read=True),
        Field("job_map", TEXT, "level", is_read=True),
        Field("job_name", TEXT, "sequences", is_read=True, is_derived=True),
        Field("job_num", TEXT, "sequences", is_read=True, is_derived=True),
        Field("job_valid", SWITCH, default="1", is_read=True),
        Field("format_type", TEXTS, "image_format", ["PNG"], is_read=True),
        Field("file_name_format", TEXT, "output", "{sequence_name}.{frame_number}"),
        *_known("", "origin_width origin_height start_frame end_frame custom_start_frame", TEXT),
        *_known("", "custom_end_frame", TEXT),
        *_known("", "flush_disk_writes_per_shot", ANYTHING),
    ),
)
UNREAL_QUEUE = Group("queue", "all_movie_pipline_queue", "name", "renderable", inner=_UNREAL_JOB)
