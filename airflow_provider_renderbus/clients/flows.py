"""Several calls with one purpose, written once for both clients.

A sequence is a generator that yields batches of calls, whose order within a batch does not matter, and
takes the batch's results. Either client drives it: ``client.run(sequence)`` returns what it returns. The
blocking one yields pages as they come::

    infos = client.run(sequences.task_infos(numbers))
    for page in client.stream(sequences.task_pages()):
        ...
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.api.errors import UnknownTask
from airflow_provider_renderbus.api.platforms import parse_platform

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.models.hardware import HardwareConfig
    from airflow_provider_renderbus.api.models.outputs import OutputFile
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.validation import TaskId

T = TypeVar("T")
Batch: TypeAlias = "list[Call[Any]]"
Flow: TypeAlias = Generator[Batch, list[Any], T]
PagedFlow: TypeAlias = Generator[Batch, "list[Page[T]]", None]

MAX_CONCURRENCY = 8
# Where all pages are wanted anyway, a batch holds more, so that fewer batches wait for their slowest answer.
_PAGES_A_BATCH = 8 * MAX_CONCURRENCY


def task_pages(**filters: Any) -> PagedFlow[TaskInfo]:
    """Ask for all pages of the account's tasks.

    :param filters: as for :func:`airflow_provider_renderbus.api.calls.get_task_list`, but the page.
    """
    return _pages(lambda page_num: calls.get_task_list(page_num=page_num, **filters))


def list_frames(task_id: TaskId) -> Flow[tuple[Frame, ...]]:
    """Ask for all frames of a leaf task.

    :param task_id: number or alias of a leaf task.
    """
    found: list[Frame] = []
    pages = _pages(lambda page_num: calls.query_task_frames(task_id, page_num=page_num), _PAGES_A_BATCH)
    batch = next(pages, None)
    while batch is not None:
        answered = yield batch
        for page in answered:
            found += page.items
        batch = _sent(pages, answered)
    return tuple(found)


def get_tasks(task_ids: Iterable[TaskId]) -> Flow[dict[int, TaskInfo]]:
    """Ask for any number of tasks, a hundred in a request.

    :param task_ids: numbers or aliases.
    :return: the tasks that the farm knows, by number.
    """
    numbers = list(dict.fromkeys(validation.parse_task_ids("task_ids", task_ids)))
    batches = [
        numbers[start : start + validation.MAX_PAGE_SIZE]
        for start in range(0, len(numbers), validation.MAX_PAGE_SIZE)
    ]
    answered = yield [calls.query_task_info(batch) for batch in batches]
    return {number: task for found in answered for number, task in found.items()}


def get_task(task_id: TaskId) -> Flow[TaskInfo]:
    """Ask for one task.

    :param task_id: number or alias.
    :raises UnknownTask: the farm does not know the task.
    """
    number = validation.parse_task_id("task_id", task_id)
    (found,) = yield [calls.query_task_info([number])]
    if number not in found:
        raise UnknownTask(number)
    task: TaskInfo = found[number]
    return task


def leaf_task_ids(task_id: TaskId) -> Flow[tuple[int, ...]]:
    """Ask for the numbers of a task's leaves; the task's own where it is not layered.

    :param task_id: number or alias.
    :raises UnknownTask: the farm does not know the task.
    """
    task = yield from get_task(task_id)
    return tuple(leaf.id for leaf in task.leaves())


def frame_ids_by_name(
    task_id: TaskId, names: Iterable[str], *, argument: str = "names"
) -> Flow[dict[int, list[int]]]:
    """Find frames by their names.

    Names are matched as text, for they come in three shapes and can repeat: every id of a name counts.

    :param task_id: number or alias; of a layered task, the frames of that name in all its leaves are meant.
    :param names: names of frames as the farm shows them, e.g. "6" or "7-9[1]".
    :param argument: what the caller calls the names, for errors.
    :return: the frames' ids by the leaf that they belong to.
    :raises ValueError: a name matches no frame.
    :raises UnknownTask: the farm does not know the task.
    """
    wanted = list(dict.fromkeys(validation.non_empty_strs(argument, names)))
    if not wanted:
        raise ValueError(f"{argument}: at least one frame's name is wanted")
    ids: dict[int, list[int]] = {}
    there: set[str] = set()
    for leaf in (yield from leaf_task_ids(task_id)):
        for frame in (yield from list_frames(leaf)):
            there.add(frame.name)
            if frame.name in wanted:
                ids.setdefault(leaf, []).append(frame.id)
    missing = [name for name in wanted if name not in there]
    if missing:
        told = "; ".join(f"{name!r} (the nearest: {_nearest(name, there)})" for name in missing)
        raise ValueError(f"{argument}: task {task_id} has no frame {told}")
    return ids


def list_output_files(task_id: TaskId) -> Flow[tuple[OutputFile, ...]]:
    """List a task's files in the output storage: of all its leaves, folders within folders too.

    :param task_id: number or alias.
    :return: the files, without the folders that they lie in, by path.
    :raises UnknownTask: the farm does not know the task.
    """
    leaves = yield from leaf_task_ids(task_id)
    return (yield from list_leaf_files(leaves))


def list_leaf_files(leaves: Iterable[int]) -> Flow[tuple[OutputFile, ...]]:
    """List the files of leaf tasks in the output storage, in folders within folders too.

    :param leaves: numbers of leaf tasks.
    :return: the files, without the folders that they lie in, by path.
    """
    files: dict[str, OutputFile] = {}
    seen: set[str] = set()
    listed = yield [calls.get_output_files(leaf) for leaf in leaves]
    while True:
        entries = [entry for folder in listed for entry in folder]
        files |= {entry.path: entry for entry in entries if not entry.is_directory}
        folders = {entry.path for entry in entries if entry.is_directory} - seen
        if not folders:
            return tuple(files[path] for path in sorted(files))
        seen |= folders
        listed = yield [calls.get_output_files(tree_path=path) for path in sorted(folders)]


def select_hardware(
    platform: int | str,
    cg_id: int,
    *,
    model: str | None = None,
    ram: int | None = None,
    gpu_num: int | None = None,
) -> Flow[tuple[HardwareConfig, ...]]:
    """Choose the machines that can render a software on a platform: all that are of one kind.

    :param platform: number or short name of the platform.
    :param cg_id: the software's number.
    :param model: the machines' model, e.g. "Default".
    :param ram: their memory in GB, e.g. 64.
    :param gpu_num: their number of graphics cards; 0 for machines without.
    :return: one or more, which differ in none of these.
    :raises ValueError: there is no such machine, or there are several kinds, which differ in price; the ones
        that there are, are listed.
    """
    number = parse_platform("platform", platform)
    (listed,) = yield [calls.list_hardware_configs()]
    usable = [config for config in listed if config.supports(number, cg_id)]
    chosen = tuple(
        config
        for config in usable
        if (model is None or config.model == model)
        and (ram is None or _leading_number(config.ram) == ram)
        and (gpu_num is None or _leading_number(config.gpu_num) == gpu_num)
    )
    asked = f"platform {number} for software {cg_id} with model={model!r}, ram={ram!r}, gpu_num={gpu_num!r}"
    if not chosen:
        raise ValueError(f"no machine of {asked}; there are: {_kinds(usable) or 'none'}")
    if len({_kind(config) for config in chosen}) > 1:
        raise ValueError(
            f"several kinds of machine, which differ in price, are of {asked}: {_kinds(chosen)}; "
            f"name as much of model, ram and gpu_num as leaves one of them"
        )
    return chosen


def _pages(page: Callable[[int], Call[Page[T]]], a_batch: int = MAX_CONCURRENCY) -> PagedFlow[T]:
    """Ask for the first page, then, its total known, for several of the others in a batch.

    It ends at the page count or at a page without items, whichever comes first.
    """
    (first,) = yield [page(1)]
    for start in range(2, first.page_count + 1, a_batch):
        answered = yield [page(number) for number in range(start, min(start + a_batch, first.page_count + 1))]
        if not all(each.items for each in answered):
            return


def _sent(pages: PagedFlow[T], answered: list[Page[T]]) -> Batch | None:
    try:
        return pages.send(answered)
    except StopIteration:
        return None


def _nearest(name: str, names: Iterable[str]) -> str:
    wanted = _first_frame(name)
    near = heapq.nsmallest(3, names, key=lambda other: (abs(_first_frame(other) - wanted), other))
    return ", ".join(map(repr, near)) or "it has none"


def _first_frame(name: str) -> int:
    digits = re.search(r"\d+", name)
    return int(digits[0]) if digits else 0


def _kind(config: HardwareConfig) -> tuple[str | None, int, int]:
    return config.model, _leading_number(config.ram), _leading_number(config.gpu_num)


def _kinds(configs: Iterable[HardwareConfig]) -> str:
    told = (f"{config.model}, {config.ram}, {config.gpu_num or 'no GPU'}" for config in configs)
    return "; ".join(dict.fromkeys(told))


def _leading_number(value: str | None) -> int:
    """Return the number in "64GB" or "2*GPU"; 0 where there is none."""
    digits = (value or "").partition("*")[0].upper().removesuffix("GB").strip()
    return int(digits) if digits.isascii() and digits.isdigit() else 0
