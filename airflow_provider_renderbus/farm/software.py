"""The software that the farm renders with: what its machines run, and what they find wrong in a task.json.

The list is that of the documents: names, extensions, Linux, analysis. No document has all versions and
plug-ins of the live farm: here are those of the documents' examples and common ones; a scenario adds more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAYA, MAX, ARNOLD, HOUDINI, CINEMA_4D = 2000, 2001, 2003, 2004, 2005
BLENDER, VRAY, CLARISSE, NUKE, KATANA, UNREAL = 2007, 2008, 2013, 2015, 2016, 2020


@dataclass(frozen=True, slots=True)
class FarmSoftware:
    """A software that the farm renders with.

    :param cg_id: its id.
    :param name: its name in the farm's list.
    :param aliases: other names that the documents and the vendor's packages write as ``cg_name``.
    :param extensions: extensions of its scene files.
    :param versions: its versions.
    :param plugins: versions of plug-ins by name.
    :param has_linux: whether the farm has Linux machines for it.
    :param needs_analysis: whether a scene must be analyzed before it is rendered.
    :param formats: image formats, in upper case; empty if no document lists them.
    :param renderers: names of its renderers; empty if task.json names none.
    """

    cg_id: int
    name: str
    extensions: tuple[str, ...]
    versions: tuple[str, ...]
    plugins: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()
    has_linux: bool = True
    needs_analysis: bool = True
    formats: tuple[str, ...] = ()
    renderers: tuple[str, ...] = ()

    def extended(
        self, versions: Iterable[str] = (), plugins: Mapping[str, Iterable[str]] | None = None
    ) -> FarmSoftware:
        """Return a copy with more versions and plug-ins."""
        more = {name: (*self.plugins.get(name, ()), *own) for name, own in (plugins or {}).items()}
        return replace(self, versions=(*self.versions, *versions), plugins={**self.plugins, **more})


def _years(first: int, last: int) -> tuple[str, ...]:
    return tuple(map(str, range(first, last + 1)))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SOFTWARE: Mapping[int, FarmSoftware] = {
    each.cg_id: each
    for each in (
        FarmSoftware(
            MAYA,
            "Maya",
            ("ma", "mb"),
            _years(2016, 2026),
            {
                "mtoa": _words("3.1.2.2 4.0.4.2 4.1.1 4.2.4 5.0.0.4 5.1.3 5.2.2.1 5.3.4 5.3.4.1 5.4.5 5.5.2"),
                "vrayformaya": _words("3.60.04 4.12.02 5.00.22 5.20.02 6.00.01 6.10.00 6.20.00 7.00.00"),
                "redshift": _words("2.6.41 3.0.53 3.5.01 3.5.16 3.5.24 2025.0.2"),
                "redshift_GPU": _words("2.6.41 3.0.53 3.5.01 3.5.16 3.5.24 2025.0.2"),
                "RenderMan_for_Maya": _words("22.6 23.5 24.4 25.2 26.1"),
                "mentalray": _words("3.14"),
                "shaveNode": _words("9.6v20"),
                "pgYetiMaya": _words("3.6.2 4.2.8 4.2.11"),
                "ngSkinTools": _words("1.8.2 2.4.0"),
            },
            formats=_words(
                "EXR DEEPEXR PNG JPG JPEG TIF TIFF TIFF16 TGA TARGA IFF MAYA16 BMP DPX HDR SGI RLA PSD CIN "
                "GIF EPS"
            ),
            renderers=_words(
                "arnold vray redshift renderMan renderManRIS Krakatoa mayaSoftware mayaHardware "
                "mayaHardware2 mayaVector mentalRay 3delight maxwell"
            ),
        ),
        FarmSoftware(
            MAX,
            "3ds Max",
            ("max",),
            _years(2014, 2026),
            {
                "vray": _words("3.60.03 4.30.02 5.00.05 5.20.02 6.00.08 6.10.00 6.10.08 6.20.00 7.00.02"),
                "corona": _words("6 7 8 9 10 11 12"),
                "redshift": _words("3.0.53 3.5.16 3.5.24"),
                "fumefx": _words("4.0.5 5.0.5"),
                "forestpack": _words("6.3.1 7.4.20 8.2.2"),
                "railclone": _words("4.3.0 6.1.2"),
                "phoenix": _words("4.10.00 5.00.00"),
            },
            aliases=("Max", "3dsmax"),
            has_linux=False,
            formats=_words("TGA TIF TIFF JPG JPEG PNG EXR RLA RPF BMP HDR PSD CXR VRIMG"),
            renderers=_words(
                "vray corona scanline defaultscanline default mentalray arnold redshift octane fstorm "
                "maxwell finalrender iray quicksilver art thea brazil"
            ),
        ),
        FarmSoftware(
            ARNOLD,
            "Arnold Standalone",
            ("ass", "ass.gz"),
            _words("5.4.0.1 6.0.3.0 6.2.0.1 7.0.0.3 7.1.4.3 7.2.5.3 7.3.4.1"),
            {"arnold": _words("6.0.3.0")},
            aliases=("Arnold", "Arnorld Standalone"),
            needs_analysis=False,
        ),
        FarmSoftware(
            HOUDINI,
            "Houdini",
            ("hip", "hiplc", "hipnc"),
            _words(
                "16.5.634 17.0.506 17.5.460 18.0.597 18.5.499 18.5.759 19.0.720 19.5.640 19.5.805 20.0.547 "
                "20.0.724 20.5.332 20.5.410 20.5.487"
            ),
            {
                "htoa": _words("4.0.1 5.6.3.0 6.1.3.3 6.2.5.1 6.3.4.1"),
                "redshift": _words("2.6.41 3.0.53 3.5.01 3.5.16 3.5.24"),
                "vray": _words("5.20.00 6.10.00"),
                "renderman": _words("24.4 25.2 26.1"),
            },
        ),
        FarmSoftware(
            CINEMA_4D,
            "Cinema 4D",
            ("c4d",),
            _words("R17 R18 R19 R20 R21 R22 R23 R24 R25 R26 2023 2024 2025"),
            {
                "redshift": _words("2.6.41 3.0.53 3.5.01 3.5.16 3.5.24 2025.0.2"),
                "octane": _words("2020.2.5 2021.1.6 2022.1.1 2023.1.1"),
                "c4dtoa": _words("3.3.5 4.6.7"),
                "X-Particles": _words("4.0.0822 1175"),
                "corona": _words("8 9 10 11"),
                "vray": _words("5.20.02 6.10.00"),
            },
            aliases=("C4d",),
            has_linux=False,
            formats=_words("RLA HDR PSB TIFF TIF TGA BMP IFF JPEG JPG PICT PSD DDS RPF B3D PNG DPX EXR"),
            renderers=_words(
                "physical standard redshift octane arnold vray corona cycles4d prorender software hardware "
                "viewport thea maxwell"
            ),
        ),
        FarmSoftware(
            BLENDER,
            "Blender",
            ("blend",),
            _words(
                "2.78 2.79 2.80 2.81 2.82 2.83 2.90 2.91 2.92 2.93 3.0 3.1 3.2 3.3 3.4 3.5 3.6 4.0 4.1 4.2 "
                "4.3 4.4 4.5"
            ),
            {"sheepit": _words("1.0"), "botaniq": _words("6.8"), "octane": _words("2022.1")},
            has_linux=False,
            formats=_words(
                "BMP IRIS PNG JPEG JPEG2000 TARGA TARGA_RAW CINEON DPX OPEN_EXR_MULTILAYER OPEN_EXR HDR TIFF "
                "WEBP AVI_JPEG AVI_RAW FFMPEG"
            ),
        ),
        FarmSoftware(
            VRAY,
            "VR Standalone",
            ("vrscene",),
            tuple(
                f"standalone_vray{version}"
                for version in _words("3.60.04 4.30.20 5.00.05 5.20.02 6.00.06 6.10.08")
            ),
            {"vray": _words("5.00.05")},
            aliases=("V-Ray Standalone",),
            has_linux=False,
            needs_analysis=False,
        ),
        FarmSoftware(
            CLARISSE,
            "Clarisse",
            ("project",),
            ("3.6 SP8", "4.0 SP3", "4.0 SP14", "5.0 SP10", "5.0 SP14"),
            {"ifx": _words("5.0")},
            aliases=("Clarisse iFX", "Clarisse BUiLDER"),
        ),
        FarmSoftware(
            NUKE,
            "Nuke",
            ("nk",),
            _words(
                "10.5v8 11.3v6 12.0v8 12.1 12.1v5 12.2v11 13.0v10 13.1v5 13.2v9 14.0v7 14.1v2 15.0v4 15.1v3"
            ),
            {"ocio": _words("1.0"), "optical_flares": _words("1.0.86"), "neatvideo": _words("5.5.4")},
            aliases=("NukeX",),
            needs_analysis=False,
            formats=_words("EXR PNG JPG JPEG TIF TIFF TGA TARGA DPX CIN MOV MP4 AVI MXF HDR SGI"),
        ),
        FarmSoftware(
            KATANA,
            "Katana",
            ("katana",),
            _words("3.2v1 3.5v3 3.6v1 4.0v4 4.5v1 5.0v4 6.0v3 7.0v2"),
            {"KtoA": _words("2.4.0.3 3.2.2.1 4.2.4.0"), "RenderMan": _words("24.4 25.2")},
        ),
        FarmSoftware(
            UNREAL,
            "Unreal Engine",
            ("uproject",),
            _words("4.26 4.27 5.0 5.1 5.2 5.3 5.3.2 5.4 5.4.4 5.5 5.5.4 5.6"),
            {"mrq": _words("1.0")},
            aliases=("Unreal", "UE", "UE4", "UE5"),
            has_linux=False,
            formats=_words("PNG EXR JPG JPEG BMP TIFF TIF"),
        ),
    )
}
"""The software by its id. Linux and analysis of Arnold, Nuke and Katana are not in the documents' list."""

RENDERER_PLUGINS = {
    "arnold": "mtoa",
    "vray": "vrayformaya",
    "redshift": "redshift",
    "renderMan": "RenderMan_for_Maya",
    "renderManRIS": "RenderMan_for_Maya",
}
"""The plug-in that a renderer of Maya needs, or a part of its name."""
