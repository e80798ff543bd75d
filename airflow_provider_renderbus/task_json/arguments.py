"""Arguments of the builder as task.json writes them: every value is a string.

Each function raises a `ValueError` that names the argument if its value is invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, TypeAlias

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.task_json.frame_ranges import (
    TEST_FRAMES_PATTERN,
    format_frames,
    format_test_frames,
    frame_numbers,
    template_help,
)
from airflow_provider_renderbus.task_json.names import path_system

Converter: TypeAlias = Callable[[str, Any], Any]

MAX_SIDE = 65_536
MAX_FRAMES_PER_TASK = 100_000
MAX_TILES = 1000
MAX_SECONDS = 31_536_000
"""A year. The farm's default for a frame is three days."""
MAX_RAM_GB = 4096
MAX_GPUS = 16
MAX_DISTRIBUTED_NODES = 100
MAX_SLICES = 16
"""The farm simulates at most this many slices. Source: the vendor's documentation of Houdini."""


def text(name: str, value: Any) -> str:
    """Return a string or a path as a string that is on one line and not empty."""
    return validation.non_blank_line(name, str(value) if isinstance(value, PurePath) else value)


def path(name: str, value: Any) -> str:
    """Return a path as a string; one of Windows with forward slashes, as the vendor's packages write it."""
    given = text(name, value)
    return given.replace("\\", "/") if path_system(given) == "windows" else given


def texts(name: str, values: Any) -> list[str]:
    """Return a list of strings that is not empty, each of them once."""
    given = [text(name, value) for value in validation.non_empty_strs(name, values)]
    if not given:
        raise ValueError(f"{name}: must have at least one item, got {given!r}")
    return list(dict.fromkeys(given))


def text_or_texts(name: str, value: Any) -> str | list[str]:
    """Return a string or a list of strings, neither of them empty."""
    return text(name, value) if isinstance(value, str) else texts(name, value)


def whole_number(maximum: int, minimum: int = 1) -> Converter:
    """Return a converter of integers in a range."""

    def convert(name: str, value: Any) -> str:
        if type(value) is not int or not minimum <= value <= maximum:
            raise ValueError(
                f"{name}: must be an integer from {minimum} to {maximum}, got {excerpt(value)}"
                f"{template_help(value)}"
            )
        return str(value)

    return convert


def choice(choices: Mapping[Any, Any]) -> Converter:
    """Return a converter of one of a few values."""

    def convert(name: str, value: Any) -> Any:
        if type(value) not in {bool, str} or value not in choices:
            allowed = ", ".join(map(repr, choices))
            raise ValueError(f"{name}: must be one of {allowed}, got {excerpt(value)}{template_help(value)}")
        return choices[value]

    return convert


def plugin_versions(name: str, value: Any) -> dict[str, str]:
    """Return versions by name of the plug-in."""
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for item in value.items() for part in item
    ):
        raise ValueError(
            f"{name}: must be a mapping of names to versions like {{'mtoa': '5.3'}}, got {excerpt(value)}"
        )
    return {text(name, plugin): text(name, version) for plugin, version in value.items()}


def slices_by_node(name: str, value: Any) -> dict[str, str]:
    """Return the number of slices of each simulation, by its node."""
    if not isinstance(value, Mapping) or not value:
        expected = "a mapping of nodes to numbers of slices like {'/out/sim': 4}"
        raise ValueError(f"{name}: must be {expected}, got {excerpt(value)}")
    to_count = whole_number(MAX_SLICES)
    return {text(name, node): to_count(name, count) for node, count in value.items()}


def test_frames(name: str, value: Any) -> str:
    """Return test frames."""
    match = TEST_FRAMES_PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        expected = "three digits 0 or 1, then optionally a colon and frames, like '101' or '000:1,3-4[1]'"
        raise ValueError(f"{name}: must be {expected}, got {excerpt(value)}{template_help(value)}")
    return match[1] if match[2] is None else f"{match[1]}:{format_test_frames(name, match[2])}"


def check_test_frames(name: str, value: str, job_frames: str) -> None:
    """Check that test frames are among the frames of the job."""
    _, _, frames = value.partition(":")
    if frames:
        unknown = set(frame_numbers(name, frames)) - set(frame_numbers("frames", job_frames))
        if unknown:
            raise ValueError(f"{name}: must be among the frames {job_frames}, got frame {min(unknown)}")


CONVERTERS: Mapping[str, Converter] = {
    "version": text,
    "scene": path,
    "frames": format_frames,
    "width": whole_number(MAX_SIDE),
    "height": whole_number(MAX_SIDE),
    "camera": text_or_texts,
    "image_format": text,
    "output": text,
    "scene_names": texts,
    "layers": texts,
    "renderer": text,
    "render_setup": choice({False: "0", True: "1"}),
    "rop_nodes": texts,
    "geo_nodes": texts,
    "geo_nodes_in_order": choice({False: False, True: True}),
    "distributed_sims": slices_by_node,
    "write_nodes": texts,
    "render_nodes": texts,
    "images": texts,
    "queue": text,
    "level": text,
    "sequences": texts,
    "plugins": plugin_versions,
    "project_name": text,
    "project_path": path,
    "frames_per_task": whole_number(MAX_FRAMES_PER_TASK),
    "test_frames": test_frames,
    "pause_after_test_frames": choice({True: "1", False: "2"}),
    "frame_timeout": whole_number(MAX_SECONDS),
    "task_timeout": whole_number(MAX_SECONDS, minimum=0),
    "warn_after": whole_number(MAX_SECONDS),
    "tiles": whole_number(MAX_TILES),
    "tiles_type": choice({"block": "block", "strip": "strip"}),
    "distributed_nodes": whole_number(MAX_DISTRIBUTED_NODES),
    "os_name": choice({"linux": "0", "windows": "1"}),
    "ram_gb": whole_number(MAX_RAM_GB),
    "gpu_num": whole_number(MAX_GPUS),
}
"""What turns each argument into a value of task.json, but software, base and overrides."""
