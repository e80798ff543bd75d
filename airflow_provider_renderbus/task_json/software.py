"""The software that the farm renders with: names, scene files, and what a task.json has for each.

Sources: the vendor's documentation of task.json (that of Nuke and Katana as it was before it was removed),
the files that the vendor's analysis packages write, and the fields that the farm's render scripts read.
"""

from __future__ import annotations

from airflow_provider_renderbus.task_json.fields import TEXT, TEXTS, Field, Software
from airflow_provider_renderbus.task_json.scene_fields import (
    ARNOLD_SCENE,
    BLENDER_SCENE,
    CINEMA_4D_SCENE,
    CLARISSE_IMAGE,
    HOUDINI_NODES,
    KATANA_RENDER_NODE,
    MAX_SCENE,
    MAYA_LAYER,
    NUKE_WRITE_NODE,
    UNREAL_QUEUE,
)

MAYA, MAX, ARNOLD, HOUDINI, CINEMA_4D = 2000, 2001, 2003, 2004, 2005
BLENDER, VRAY, CLARISSE, NUKE, KATANA, UNREAL = 2007, 2008, 2013, 2015, 2016, 2020

_PACKAGE, _NOT_NEEDED, _NONE = "the vendor's package", "not needed", "none"
_NO_TILES = {"tiles": "the farm does not split its frames into tiles"}
_NOT_DISTRIBUTED = {"distributed_nodes": "the farm renders each of its frames on one machine"}


RENDERERS_WITH_OPTIONS = ("arnold", "vray", "redshift", "renderMan", "renderManRIS", "Krakatoa")
"""Maya renderers for which `option` of a layer is an object."""


def _names(names: str, **aliases: str) -> dict[str, str]:
    """Return names as the software writes them, by their letters and digits in lower case."""
    return {"".join(filter(str.isalnum, name.casefold())): name for name in names.split()} | aliases


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
            groups=(MAYA_LAYER,),
            own_arguments=("render_setup",),
            required=("frames", "width", "height", "renderer"),
            forbidden=_NOT_DISTRIBUTED,
            # Tiles need layers on, and so does the size of a layer.
            task_info={"enable_layered": "1"},
            formats=_names(
                "exr deepexr png jpg jpeg tif tiff tiff16 tga iff bmp dpx hdr", openexr="exr", targa="tga"
            ),
            renderers=_names(
                " ".join(RENDERERS_WITH_OPTIONS) + " mayaSoftware mayaHardware mayaHardware2 mayaVector "
                "mentalRay 3delight maxwell",
                redshift3d="redshift",
                rman="renderMan",
            ),
        ),
        Software(
            MAX,
            "3ds Max",
            aliases=("Max", "3dsmax", "3D Studio Max", "Autodesk 3ds Max", "3d max"),
            extensions=("max",),
            has_linux=False,
            analysis=_PACKAGE,
            groups=(MAX_SCENE,),
            required=("frames", "width", "height", "renderer"),
            forbidden=_NOT_DISTRIBUTED,
            task_info={"version": "2"},
            formats=_names(
                "tga tif jpg png exr rla rpf bmp hdr psd cxr vrimg",
                jpeg="jpg",
                tiff="tif",
                targa="tga",
                openexr="exr",
            ),
            renderers=_names("vray corona scanline mentalray arnold redshift octane fstorm maxwell iray"),
        ),
        Software(2002, "LightWave", aliases=("LightWave 3D",)),
        Software(
            ARNOLD,
            "Arnold Standalone",
            aliases=("Arnold", "Arnorld Standalone", "kick"),
            extensions=("ass", "ass.gz"),
            analysis=_NOT_NEEDED,
            groups=(ARNOLD_SCENE,),
            required=("frames",),
        ),
        Software(
            HOUDINI,
            "Houdini",
            aliases=("SideFX Houdini", "Houdini FX"),
            extensions=("hip", "hiplc", "hipnc"),
            has_linux=True,
            analysis=_PACKAGE,
            groups=HOUDINI_NODES,
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
            groups=(CINEMA_4D_SCENE,),
            required=("frames", "width", "height", "image_format", "renderer"),
            formats=_names(
                "RLA HDR PSB TIFF TGA BMP IFF JPEG PICT PSD DDS RPF B3D PNG DPX EXR",
                tif="TIFF",
                jpg="JPEG",
                targa="TGA",
                openexr="EXR",
            ),
            renderers=_names("Physical Standard Redshift Octane Arnold Corona"),
        ),
        Software(2006, "Softimage", aliases=("Softimage XSI", "XSI")),
        Software(
            BLENDER,
            "Blender",
            aliases=("Blender 3D",),
            extensions=("blend",),
            has_linux=False,
            analysis=_PACKAGE,
            groups=(BLENDER_SCENE,),
            required=("frames",),
            formats=_names(
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
            groups=(CLARISSE_IMAGE,),
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
            groups=(NUKE_WRITE_NODE,),
            required=("frames", "width", "height", "write_nodes"),
            task_info={"concurrent_tasks": "1"},
            top_level={"concurrent_tasks": "1"},
            formats=_names("exr png jpg jpeg tif tiff tga targa dpx cin mov mp4 avi mxf hdr sgi"),
        ),
        Software(
            KATANA,
            "Katana",
            aliases=("Foundry Katana",),
            extensions=("katana",),
            analysis=_PACKAGE,
            groups=(KATANA_RENDER_NODE,),
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
            groups=(UNREAL_QUEUE,),
            scene_fields=(
                Field("render_mod", TEXT, default="mrq", is_read=True),
                Field("all_game_map", TEXTS, "level"),
                Field("all_level_sequence", TEXTS, "sequences"),
            ),
            required=("frames", "width", "height", "queue", "level", "sequences"),
            formats=_names("PNG EXR JPG BMP TIFF", jpeg="JPG", tif="TIFF", openexr="EXR"),
        ),
    )
}
"""The software by its id. Source of ids and names: the vendor's documentation and its released client."""

RENDERER_PLUGINS = {
    "arnold": "mtoa",
    "vray": "vrayformaya",
    "redshift": "redshift",
    "renderMan": "RenderMan_for_Maya",
    "renderManRIS": "RenderMan_for_Maya",
}
"""The plug-in that a Maya renderer needs, or a part of its name: that of Redshift is not documented."""

BUILDABLE = {cg_id: each for cg_id, each in SOFTWARE.items() if each.analysis}
"""The software for which there are documents, so that its task.json can be built or changed."""
