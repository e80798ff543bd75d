"""Downloads the frames of a render, layer by layer, and checks that they are whole."""

from __future__ import annotations

import itertools
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError, is_permanent
from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.operators.file_transfer import translate_transfer_errors
from airflow_provider_renderbus.operators.frame_delivery import (
    Delivery,
    LayerFiles,
    check_layers,
    layer_title,
)
from airflow_provider_renderbus.operators.frame_thumbnails import thumbnails_folder, write_thumbnails
from airflow_provider_renderbus.renders import recommit
from airflow_provider_renderbus.renders.layers import list_layers, shot_name
from airflow_provider_renderbus.renders.policy import KeepWaiting
from airflow_provider_renderbus.renders.results import layer_summaries
from airflow_provider_renderbus.transfer import downloads, endpoints
from airflow_provider_renderbus.transfer.errors import (
    InvalidFiles,
    TransferCancelled,
    TransferError,
    TransferIncomplete,
    TransferStalled,
    raise_all,
)
from airflow_provider_renderbus.transfer.folder import SafeFolder
from airflow_provider_renderbus.transfer.layout import (
    check_layout,
    check_targets,
    find_strangers,
    layout_folder,
    place,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.operators.file_transfer import FileTransfer
    from airflow_provider_renderbus.renders.layers import Layer
    from airflow_provider_renderbus.renders.policy import Action, OnMissingFrames, RenderPolicy, WaitState
    from airflow_provider_renderbus.transfer.downloads import DownloadResult, RemoteFile
    from airflow_provider_renderbus.transfer.folder import Parts
    from airflow_provider_renderbus.transfer.process import TransferRunner

log = logging.getLogger(__name__)

# After as many layers the server counts as not responding; each further one would take as long.
_MAX_STALLS = 2


class _ListedFrames(NamedTuple):
    """The frames of a render.

    :param by_leaf: by the ids of the leaves of the layers.
    :param unchecked: why frames of layers could not be listed, by the names of the layers in messages.
    """

    by_leaf: dict[int, tuple[Frame, ...]]
    unchecked: dict[str, str]


@dataclass
class FrameDownload:
    """Downloads the frames of one render, or compares a folder with them.

    :param pattern: only files whose path in the storage matches this.
    :param layout: where files go below the folder, such as "{layer}"; as in the storage if None.
    """

    transfer: FileTransfer
    render_task_id: int
    folder: str | os.PathLike[str]
    pattern: str = "*"
    layout: str | None = None

    def fetch(self, task: TaskInfo, *, is_final: bool = True) -> Delivery:
        """Download the files that are not there yet, and check that all frames that are done have one.

        :param task: the render, as it was before its files are listed.
        :param is_final: whether frames are checked. If not, there may be no file yet, and a file that cannot
            be downloaded is a warning, because the next download tries it again.
        :raises ValueError: an argument is invalid, or two files would have the same place.
        :raises AirflowFailException: no file matches, names lead out of the folder, or the command cannot be
            run or fails permanently.
        :raises AirflowException: not all files were downloaded; a retry continues.
        """
        target = self._target()
        with translate_transfer_errors(f"Render {self.render_task_id}: "):
            runner, speed_limit = self.transfer.prepare()
            if is_final:
                return self._fetch_whole(task, target, runner, speed_limit)
            thumbnails = thumbnails_folder()
            # Before the files, so that those of a frame that is done are listed.
            frames = self._list_frames(task).by_leaf if thumbnails is not None else {}
            layers, errors = self._list(task)
            results = self._transfer(layers, target, errors, runner, speed_limit)
            if thumbnails is not None:
                write_thumbnails(
                    self.transfer, thumbnails, target, layers, frames, results, task.id, is_final=False
                )
            if errors:
                problems = join_limited([str(error) for error in errors])
                log.warning("Render %s: %s. The next download tries it again", task.id, problems)
            return self._deliver(task, layers, target, results)

    def _fetch_whole(self, task: TaskInfo, target: Path, runner: TransferRunner, limit: int) -> Delivery:
        """Download the files, and check them against the frames, which are listed meanwhile."""
        thumbnails = thumbnails_folder()
        pool = ThreadPoolExecutor(1)
        try:
            listed_frames = pool.submit(self._list_frames, task)
            layers, errors = self._list(task)
            results = self._transfer(layers, target, errors, runner, limit)
            if thumbnails is not None:
                frames = listed_frames.result().by_leaf
                write_thumbnails(self.transfer, thumbnails, target, layers, frames, results, task.id)
            raise_all(errors)
            frames, unchecked = listed_frames.result()
        finally:
            # A killed Airflow task does not wait for the listing.
            pool.shutdown(wait=False, cancel_futures=True)
        checked = check_layers(layers, frames, self.pattern)
        if any(each.problems for each in checked):
            # A frame may have been done after the files were listed, and before it was listed itself.
            first, (layers, errors) = layers, self._list(task)
            raise_all(errors)
            if layers != first:
                results = self._transfer(layers, target, errors, runner, limit)
                if thumbnails is not None:
                    write_thumbnails(self.transfer, thumbnails, target, layers, frames, results, task.id)
                raise_all(errors)
            checked = check_layers(layers, frames, self.pattern)
        delivery = self._deliver(task, layers, target, results)
        delivery.add(layers, checked)
        _require_files(layers, delivery, self.pattern)
        delivery.add_unchecked(unchecked)
        self._warn_of_strangers(target, layers)
        return delivery

    def _transfer(
        self,
        layers: Sequence[LayerFiles],
        target: Path,
        errors: list[TransferError],
        runner: TransferRunner,
        speed_limit: int,
    ) -> list[DownloadResult]:
        """Download the files of all layers, and add the errors of those that fail."""
        hook = self.transfer.hook
        profile = hook.send(calls.query_user_profile())
        bids = hook.send(calls.get_transfer_bid())
        line = self.transfer.select_line()
        results: list[DownloadResult] = []
        # An empty file would replace a good one of an earlier render.
        non_empty = [[file for file in each.files if file.stat.size != 0] for each in layers]
        same_names = downloads.find_same_names(target, itertools.chain.from_iterable(non_empty))
        for each, candidates in zip(layers, non_empty, strict=True):
            leaf = each.layer.leaf
            files = [file for file in candidates if file.target not in same_names]
            is_whole_folder = each.is_whole_folder and len(files) == len(candidates)
            try:
                endpoint = endpoints.output_endpoint(line, profile, bids, leaf)
                if files:
                    result = downloads.download(
                        runner,
                        endpoint,
                        files,
                        target,
                        storage_folder=leaf.output_file_name if is_whole_folder else None,
                        speed_limit_kb_per_s=speed_limit,
                        subject=f"Render {self.render_task_id}, {each}",
                    )
                    results.append(result)
            except TransferCancelled:
                raise
            except TransferError as error:
                errors.append(type(error)(f"{each}: {error}{self._mixture(target, files)}"))
                if sum(isinstance(each, TransferStalled) for each in errors) >= _MAX_STALLS:
                    break
        if same_names:
            errors.append(InvalidFiles(join_limited(list(same_names.values()))))
        return results

    def deliver(
        self,
        result: dict[str, Any],
        wait: WaitState | None,
        policy: RenderPolicy,
        on_missing_frames: OnMissingFrames,
    ) -> dict[str, Any] | Action:
        """Download the frames of a render that has succeeded, and return its result with what has arrived.

        :param wait: the wait that has ended; None if Airflow has lost it.
        :return: the result, or how to get frames that are missing.
        :raises MissingFrames: frames are missing, and are neither accepted nor recommitted.
        """
        hook = self.transfer.hook
        delivery = self.fetch(hook.run(flows.get_task(self.render_task_id)))
        hint = ""
        if delivery.lacking and on_missing_frames == "recommit":
            if wait is None:
                hint = "; not recommitted, because Airflow lost the wait of this deferred task"
            else:
                frames = delivery.frames
                is_pending = wait.recommit_may_be_pending and frames
                if is_pending and recommit.has_recommit_arrived(hook, self.render_task_id, frames):
                    return KeepWaiting(replace(wait, recommit_may_be_pending=False))
                step = policy.recommit_missing(frames, wait, Decimal(result["cost"]))
                if step is not None:
                    return step
                hint = f"; not recommitted within max_recommits ({policy.max_recommits}) and max_cost"
        delivered = delivery.accept() if on_missing_frames == "accept" else delivery.require(hint)
        folders = {layer["render_task_id"]: layer["folder"] for layer in delivered["layers"]}
        layers = [{**layer, "folder": folders.get(layer["render_task_id"])} for layer in result["layers"]]
        return {**result, **delivered, "layers": layers}

    def verify(self) -> Delivery:
        """Compare the folder with the frames that are done, without downloading anything.

        If the farm does not list the files of a layer any more, the names in the folder are compared with its
        frames.

        :raises ValueError: an argument is invalid.
        """
        target = self._target()
        with translate_transfer_errors(f"Render {self.render_task_id}: "), SafeFolder(target) as folder:
            task = self.transfer.hook.run(flows.get_task(self.render_task_id))
            frames, unchecked = self._list_frames(task)
            layers, errors = self._list(task)
            raise_all(errors)
            delivery = self._deliver(task, layers, target, [])
            delivery.add(layers, check_layers(layers, frames, self.pattern, folder))
            delivery.add_unchecked(unchecked)
            del delivery.result["already_present"]
            stats = [folder.stat(file.target) for each in layers for file in each.files]
            sizes = [stat.size or 0 for stat in stats if stat is not None]
            delivery.result |= {"files": len(sizes), "bytes": sum(sizes)}
        return delivery

    def _target(self) -> Path:
        if self.layout is not None:
            check_layout("layout", self.layout)
        self.transfer.check_pattern(self.pattern)
        return self.transfer.absolute_path(self.folder)

    def _list(self, task: TaskInfo) -> tuple[list[LayerFiles], list[TransferError]]:
        """Return the files of the layers of a render, and what keeps some from being downloaded."""
        layers: list[LayerFiles] = []
        errors: list[TransferError] = []
        for layer in list_layers(task):
            try:
                listing = self.transfer.hook.run(flows.list_leaf_files([layer.leaf.id]))
            except RenderbusError as error:
                error_type = InvalidFiles if is_permanent(error) else TransferIncomplete
                errors.append(error_type(f"layer {layer.name}: its files could not be listed: {error}"))
                continue
            files, problems = downloads.select_files(listing, self.pattern)
            if problems:
                errors.append(InvalidFiles(f"layer {layer.name}: {join_limited(problems)}"))
            folder = self._folder_of(task, layer)
            layers.append(LayerFiles(layer, folder, listing, place(files, folder) if folder else files))
        check_targets(each.files for each in layers)
        return layers, errors

    def _list_frames(self, task: TaskInfo) -> _ListedFrames:
        """Return the frames of the layers, and which a retry can list."""
        listed = _ListedFrames({}, {})
        for layer in list_layers(task):
            if not layer.has_frames:
                continue
            try:
                listed.by_leaf[layer.leaf.id] = self.transfer.hook.run(flows.list_frames(layer.leaf.id))
            except RenderbusError as error:
                name, problem = layer_title(layer), f"its frames could not be listed: {error}"
                if error.retryable:
                    listed.unchecked[name] = problem
                else:
                    log.warning("%s: not checked whether all frames have files: %s", name, problem)
        return listed

    def _folder_of(self, task: TaskInfo, layer: Layer) -> Parts:
        if self.layout is None:
            return ()
        output_folder = layer.leaf.output_file_name or str(layer.leaf.id)
        values = {
            "layer": layer.name,
            "shot": shot_name(task) or shot_name(layer.leaf) or str(task.id),
            "render_task_id": task.id,
            "output_folder": output_folder,
        }
        return layout_folder(self.layout, values)

    def _deliver(
        self, task: TaskInfo, layers: Sequence[LayerFiles], target: Path, results: Sequence[DownloadResult]
    ) -> Delivery:
        """Return the result of a download."""
        local = {
            each.layer.leaf.id: "/".join(each.folder or each.files[0].parts[:1])
            for each in layers
            if each.files
        }
        return Delivery(
            {
                "render_task_id": task.id,
                "folder": str(target),
                "output_folders": list(dict.fromkeys(local.values())),
                "layers": [
                    {**summary, "folder": str(target / local[summary["render_task_id"]])}
                    if summary["render_task_id"] in local
                    else {**summary, "folder": None}
                    for summary in layer_summaries(task)
                ],
                "files": sum(result.files for result in results),
                "bytes": sum(result.size for result in results),
                "already_present": sum(result.already_present for result in results),
                "missing_frames": [],
            }
        )

    def _mixture(self, target: Path, files: Sequence[RemoteFile]) -> str:
        """Return a note on the files that are still those of an earlier render."""
        if self.layout is None:
            return ""
        old = downloads.find_outdated(target, files)
        return f". Still of an earlier render: {join_limited(old)}" if old else ""

    def _warn_of_strangers(self, target: Path, layers: Sequence[LayerFiles]) -> None:
        """Log a warning if a sequence on the disk has frames that are not of this render."""
        strangers = (
            find_strangers(target, [file for each in layers for file in each.files]) if self.layout else []
        )
        if strangers:
            log.warning(
                "Render %s: %s has %s files of the same sequences that are not of this render: %s",
                self.render_task_id,
                target,
                f"{len(strangers):,}",
                join_limited(strangers),
            )


def _require_files(layers: Sequence[LayerFiles], delivery: Delivery, pattern: str) -> None:
    """Raise a `TransferError` if there is nothing to download."""
    listed = sum(len(each.listing) for each in layers)
    if not listed and not delivery.lacking:
        raise TransferIncomplete("the farm lists no files yet")
    if listed and not any(each.files for each in layers):
        raise InvalidFiles(f"none of the {listed:,} files matches {pattern!r}")
