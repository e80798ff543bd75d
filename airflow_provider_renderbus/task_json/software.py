"""The software that the farm renders with: names, scene files, and what a task.json has for each.

Sources: the vendor's documentation of task.json (that of Nuke and Katana as it was before it was removed),
the files that the vendor's analysis packages write, and the fields that the farm's render scripts read.
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
    Software,
    one_of,
)

MAYA, MAX, ARNOLD, HOUDINI, CINEMA_4D = 2000, 2001, 2003, 2004, 2005
BLENDER, VRAY, CLARISSE, NUKE, KATANA, UNREAL = 2007, 2008, 2013, 2015, 2016, 2020

_PACKAGE, _NOT_NEEDED, _NONE = "the vendor's package", "not needed", "none"
_NO_TILES = {"tiles": "the farm does not split its frames into tiles"}
_NOT_DISTRIBUTED = {"distributed_nodes": "the farm renders each of its frames on one machine"}
_NULLABLE = {"type": ["string", "null"]}


def _formats(names: str, **aliases: str) -> dict[str, str]:
    return {"".join(filter(str.isalnum, name.casefold())): name for name in names.split()} | aliases


def _size(prefix: str, *, is_read: bool) -> tuple[Field, ...]:
    return (
        Field(f"{prefix}frames", FRAMES, "frames", is_read=True),
        Field(f"{prefix}width", DIGITS, "width", is_read=is_read),
        Field(f"{prefix}height", DIGITS, "height", is_read=is_read),
    )


def _known(prefix: str, names: str, schema: dict[str, object]) -> tuple[Field, ...]:
    """Return fields that real files have, and that the builder does not set."""
    return tuple(Field(f"{prefix}{name}", schema) for name in names.split())


_MAYA_LAYER = Group(
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
_MAX_SCENE = Group(
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
_CINEMA_4D_SCENE = Group(
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
_BLENDER_SCENE = Group(
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


_CLARISSE_FIELDS = (
    Field("frames", FRAMES, "frames", is_read=True),
    Field("output", TEXT, "output"),
    Field("format", TEXT, "image_format"),
    Field("save_to_disk", SWITCH, default="1"),
    *_known("", "LUT enable_deep_output enable_deep_output_path inw_output", TEXT),
)
_CLARISSE_IMAGE = Group(
    "images",
    "image_node",
    "name",
    "renderable",
    fields=_CLARISSE_FIELDS,
    inner=Group("layers", "layers", "name", "renderable", fields=_CLARISSE_FIELDS),
)
_NUKE_WRITE_NODE = Group(
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
_KATANA_RENDER_NODE = Group(
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

SOFTWARE: dict[int, Software] = {
    each.cg_id: each
    for each in (
        Software(
            MAYA,
            "Maya",
            aliases=("Autodesk Maya",),
            extensions=("ma", "mb"),
            has_linux=True,
            analysis=_PACKAGE,
            groups=(_MAYA_LAYER,),
            own_arguments=("render_setup",),
            required=("frames", "width", "height", "renderer"),
            forbidden=_NOT_DISTRIBUTED,
            # Tiles need layers on, and so does the size of a layer.
            task_info={"enable_layered": "1"},
            formats=_formats("exr png jpg jpeg tif tiff tga iff bmp dpx hdr", openexr="exr", targa="tga"),
        ),
        Software(
            MAX,
            "3ds Max",
            aliases=("Max", "3dsmax", "3D Studio Max", "Autodesk 3ds Max", "3d max"),
            extensions=("max",),
            has_linux=False,
            analysis=_PACKAGE,
            groups=(_MAX_SCENE,),
            required=("frames", "width", "height", "renderer"),
            forbidden=_NOT_DISTRIBUTED,
            task_info={"version": "2"},
            formats=_formats(
                "tga tif jpg png exr rla rpf bmp hdr", jpeg="jpg", tiff="tif", targa="tga", openexr="exr"
            ),
        ),
        Software(2002, "LightWave", aliases=("LightWave 3D",)),
        Software(
            ARNOLD,
            "Arnold Standalone",
            aliases=("Arnold", "Arnorld Standalone", "kick"),
            extensions=("ass", "ass.gz"),
            analysis=_NOT_NEEDED,
            groups=(Group(fields=(Field("common.frames", FRAMES, "frames", is_read=True),)),),
            required=("frames",),
        ),
        Software(
            HOUDINI,
            "Houdini",
            aliases=("SideFX Houdini", "Houdini FX"),
            extensions=("hip", "hiplc", "hipnc"),
            has_linux=True,
            analysis=_PACKAGE,
            groups=(
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
            ),
            required=("frames", ("rop_nodes", "geo_nodes", "distributed_sims")),
        ),
        Software(
            CINEMA_4D,
            "Cinema 4D",
            cg_name="CINEMA 4D",
            aliases=("C4d", "Cinema4D", "MAXON Cinema 4D"),
            extensions=("c4d",),
            has_linux=False,
            analysis=_PACKAGE,
            groups=(_CINEMA_4D_SCENE,),
            required=("frames", "width", "height", "image_format", "renderer"),
            formats=_formats(
                "RLA HDR PSB TIFF TGA BMP IFF JPEG PICT PSD DDS RPF B3D PNG DPX EXR",
                tif="TIFF",
                jpg="JPEG",
                targa="TGA",
                openexr="EXR",
            ),
        ),
        Software(2006, "Softimage", aliases=("Softimage XSI", "XSI")),
        Software(
            BLENDER,
            "Blender",
            aliases=("Blender 3D",),
            extensions=("blend",),
            has_linux=False,
            analysis=_PACKAGE,
            groups=(_BLENDER_SCENE,),
            required=("frames",),
            formats=_formats(
                "BMP IRIS PNG JPEG JPEG2000 TARGA TARGA_RAW CINEON DPX OPEN_EXR_MULTILAYER OPEN_EXR HDR TIFF "
                "WEBP AVI_JPEG AVI_RAW FFMPEG",
                exr="OPEN_EXR",
                jpg="JPEG",
                jp2="JPEG2000",
                tga="TARGA",
                tif="TIFF",
            ),
        ),
        Software(
            VRAY,
            "V-Ray Standalone",
            cg_name="VR Standalone",
            aliases=("V-Ray", "VR Standalone", "vr_standalone", "vrscene"),
            extensions=("vrscene",),
            has_linux=False,
            analysis=_NOT_NEEDED,
            forbidden={"frames": "the farm renders the frames that the .vrscene file has"},
        ),
        Software(2009, "mr Standalone", aliases=("mr_standalone", "mental ray Standalone")),
        Software(2010, "SketchUp"),
        Software(2011, "Vue"),
        Software(2012, "KeyShot"),
        Software(
            CLARISSE,
            "Clarisse",
            aliases=("Clarisse iFX", "Clarisse BUiLDER", "Isotropix Clarisse"),
            extensions=("project",),
            has_linux=True,
            analysis=_PACKAGE,
            groups=(_CLARISSE_IMAGE,),
            required=("frames", ("images", "layers")),
            forbidden=_NO_TILES | _NOT_DISTRIBUTED,
        ),
        Software(2014, "Octane", aliases=("Octane Render", "octane_render")),
        Software(
            NUKE,
            "Nuke",
            aliases=("Foundry Nuke", "NukeX"),
            extensions=("nk",),
            analysis=_NONE,
            groups=(_NUKE_WRITE_NODE,),
            required=("frames", "width", "height", "write_nodes"),
            task_info={"concurrent_tasks": "1"},
            top_level={"concurrent_tasks": "1"},
            formats=_formats("exr png jpg jpeg tif tiff tga targa dpx cin mov mp4 avi mxf hdr sgi"),
        ),
        Software(
            KATANA,
            "Katana",
            aliases=("Foundry Katana",),
            extensions=("katana",),
            analysis=_PACKAGE,
            groups=(_KATANA_RENDER_NODE,),
            required=("frames", "render_nodes"),
            forbidden=_NO_TILES | _NOT_DISTRIBUTED,
        ),
        Software(
            UNREAL,
            "Unreal Engine",
            aliases=("Unreal", "UE", "UE4", "UE5"),
            extensions=("uproject",),
            has_linux=False,
            analysis=_PACKAGE,
            groups=(Group("queue", "all_movie_pipline_queue", "name", "renderable", inner=_UNREAL_JOB),),
            scene_fields=(
                Field("render_mod", TEXT, default="mrq", is_read=True),
                Field("all_game_map", TEXTS, "level"),
                Field("all_level_sequence", TEXTS, "sequences"),
            ),
            required=("frames", "width", "height", "queue", "level", "sequences"),
            formats=_formats("PNG EXR JPG BMP TIFF", jpeg="JPG", tif="TIFF", openexr="EXR"),
        ),
    )
}
"""The software by its id. Source of ids and names: the vendor's documentation and its released client."""

RENDERERS_WITH_OPTIONS = ("arnold", "vray", "redshift", "renderMan", "renderManRIS", "Krakatoa")
"""Maya renderers for which `option` of a layer is an object."""

RENDERER_PLUGINS = {
    "arnold": "mtoa",
    "vray": "vrayformaya",
    "redshift": "redshift",
    "renderMan": "RenderMan_for_Maya",
    "renderManRIS": "RenderMan_for_Maya",
}
"""The plug-in that a Maya renderer needs, or a part of its name: that of Redshift is not documented."""

MAYA_RENDERERS = (
    *RENDERERS_WITH_OPTIONS,
    "mayaSoftware",
    "mayaHardware",
    "mayaHardware2",
    "mayaVector",
    "mentalRay",
    "3delight",
    "maxwell",
)
"""Names of renderers as Maya writes them."""

BUILDABLE = {cg_id: each for cg_id, each in SOFTWARE.items() if each.analysis}
"""The software for which there are documents, so that its task.json can be built or changed."""
