"""Checks what has arrived of a render, and what an operator returns and does about missing frames."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.renders.layers import shot_name
from airflow_provider_renderbus.transfer.delivery import LayerDelivery, check_layer
from airflow_provider_renderbus.transfer.errors import TransferIncomplete

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.models.transfer import OutputFile
    from airflow_provider_renderbus.renders.layers import Layer
    from airflow_provider_renderbus.transfer.downloads import RemoteFile
    from airflow_provider_renderbus.transfer.folder import Parts, SafeFolder

log = logging.getLogger(__name__)

_MAX_DOUBTS = 5


class MissingFrames(TransferIncomplete):
    """Frames that are done have no file or an empty one, or could not be checked. A retry tries it again."""


class LayerFiles(NamedTuple):
    """The files of a layer in the storage.

    :param layer: the layer.
    :param folder: where they go, below the folder of the download; empty for the paths of the storage.
    :param listing: all files that the farm lists.
    :param files: those that match the pattern and can be written.
    """

    layer: Layer
    folder: Parts
    listing: Sequence[OutputFile]
    files: list[RemoteFile]

    @property
    def is_whole_folder(self) -> bool:
        """Whether the files are exactly those of the leaf's folder."""
        top = self.layer.leaf.output_file_name
        return len(self.files) == len(self.listing) and all(file.parts[0] == top for file in self.files)

    @property
    def texts(self) -> list[str]:
        """Names in paths of the layer whose digits are no frame numbers."""
        leaf = self.layer.leaf
        return [leaf.layer_name or "", shot_name(leaf), leaf.output_file_name or ""]

    def __str__(self) -> str:
        return layer_title(self.layer)


def layer_title(layer: Layer) -> str:
    """Return what messages call a layer."""
    return f"layer {layer.name} ({layer.leaf.id})"


@dataclass
class Delivery:
    """What has arrived, and what is lacking.

    :param result: what an operator returns.
    :param lacking: what each incomplete layer lacks.
    """

    result: dict[str, Any]
    lacking: dict[str, LayerDelivery] = field(default_factory=dict)

    def add(self, layers: Sequence[LayerFiles], checked: Sequence[LayerDelivery]) -> None:
        """Add what :func:`check_layers` has found, and log a warning about what may be missing."""
        missing = []
        for each, found in zip(layers, checked, strict=True):
            for doubt in found.doubts[:_MAX_DOUBTS]:
                log.warning("Render %s, %s: %s", self.result["render_task_id"], each, doubt)
            if found.problems:
                self.lacking[str(each)] = found
            if found.frames:
                # As arguments of `RenderbusRecommitFramesOperator`.
                missing.append(
                    {
                        "layer": each.layer.name,
                        "render_task_id": each.layer.leaf.id,
                        "frames": [frame.name for frame in found.frames],
                    }
                )
        self.result["missing_frames"] = missing

    def add_unchecked(self, problems: Mapping[str, str]) -> None:
        """Add why layers, by their names as in `lacking`, could not be checked."""
        for name, problem in problems.items():
            found = self.lacking.get(name, LayerDelivery())
            self.lacking[name] = replace(found, problems=(*found.problems, problem))

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames that lack a file, as far as names of files say so."""
        return tuple(frame for each in self.lacking.values() for frame in each.frames)

    @property
    def message(self) -> str:
        """What is lacking, in words; "" if nothing is."""
        return join_limited([f"{name}: {'; '.join(each.problems)}" for name, each in self.lacking.items()])

    def accept(self) -> dict[str, Any]:
        """Return the result, and log a warning about what is lacking."""
        if self.lacking:
            log.warning(
                "Render %s: accepted without all frames: %s", self.result["render_task_id"], self.message
            )
        return self.result

    def require(self, hint: str = "") -> dict[str, Any]:
        """Return the result if nothing is lacking.

        :raises MissingFrames: something is.
        """
        if self.lacking:
            raise MissingFrames(
                f"Not all frames that are done are known to have a file: {self.message}{hint}"
            )
        return self.result


def check_layers(
    layers: Sequence[LayerFiles],
    frames: Mapping[int, tuple[Frame, ...]],
    pattern: str,
    folder: SafeFolder | None = None,
) -> list[LayerDelivery]:
    """Return what each layer lacks, on the farm or in a folder.

    :param frames: by id of the leaf; a layer whose frames are not known is checked for empty files only.
    :param pattern: the files that are asked for.
    """
    return [_check(each, frames.get(each.layer.leaf.id, ()), pattern, folder) for each in layers]


def _check(
    layer: LayerFiles, frames: tuple[Frame, ...], pattern: str, folder: SafeFolder | None
) -> LayerDelivery:
    sizes = {file.path.lstrip("/"): file.size for file in layer.listing if not file.is_directory}
    unusable: dict[str, str] = {}
    if folder is not None:
        for file in layer.files:
            stat = folder.stat(file.target)
            if stat is None:
                unusable[file.path] = "not in the folder"
            elif file.stat.size not in {None, stat.size}:
                unusable[file.path] = "not of the listed size"
            else:
                sizes[file.path] = stat.size
        sizes = sizes or _sizes_in_folder(folder, layer)
    return check_layer(
        frames,
        sizes,
        pattern,
        unusable=unusable,
        texts=layer.texts,
        place="the farm lists" if folder is None else "the folder has",
    )


def _sizes_in_folder(folder: SafeFolder, each: LayerFiles) -> dict[str, int | None]:
    """Return the files in the local folder of a layer that the farm does not list."""
    parts = each.folder or (each.layer.leaf.output_file_name or str(each.layer.leaf.id),)
    top = folder.path.joinpath(*parts)
    found: dict[str, int | None] = {}
    for path in sorted(top.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found["/".join((*parts, *path.relative_to(top).parts))] = path.stat().st_size
    return found
