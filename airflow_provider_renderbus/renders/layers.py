"""The layers of a render: each leaf with a name that a TD recognizes."""

from __future__ import annotations

from collections import Counter
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.api.text import printable

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.tasks import TaskInfo


class Layer(NamedTuple):
    """A leaf of a render and its name, which no other leaf of the render has."""

    name: str
    leaf: TaskInfo

    @property
    def has_frames(self) -> bool:
        """Whether it renders frames: passes before the main pass only prepare them."""
        return not (self.leaf.is_photon_pass or self.leaf.is_pre_render)


def shot_name(task: TaskInfo) -> str:
    """Return the name of the scene without folder and extension; "" if the farm does not say it."""
    return printable(PureWindowsPath(task.scene_name or "").stem)


def list_layers(task: TaskInfo) -> list[Layer]:
    """Return the leaves of a task with their names: layer, ROP, camera, else the scene.

    A pass before the main pass is named after its layer: "beauty (photon pass)". If two leaves would have the
    same name, their cameras are added, and their ids if that is not enough.
    """
    leaves = list(task.leaves())
    names = _qualify([_name(leaf) for leaf in leaves], [leaf.render_camera or "" for leaf in leaves])
    names = _qualify(names, [str(leaf.id) for leaf in leaves])
    return [Layer(*layer) for layer in zip(names, leaves, strict=True)]


def _name(leaf: TaskInfo) -> str:
    name = printable(leaf.layer_name or leaf.render_camera or "").strip() or shot_name(leaf) or str(leaf.id)
    if leaf.is_photon_pass:
        return f"{name} (photon pass)"
    return f"{name} (pre-render)" if leaf.is_pre_render else name


def _qualify(names: list[str], qualifiers: list[str]) -> list[str]:
    """Add the qualifiers to names that occur more than once."""
    counts = Counter(names)
    return [
        f"{name} ({printable(qualifier)})" if counts[name] > 1 and qualifier and qualifier != name else name
        for name, qualifier in zip(names, qualifiers, strict=True)
    ]
