"""Flows: several calls with one purpose, written once for both clients.

A flow is a generator that yields batches of calls and receives their results; the order within a batch does
not matter. Both clients drive it: ``client.run(flow)`` returns its return value. The blocking client also
iterates over pages as they arrive::

    tasks = client.run(flows.get_tasks(task_ids))
    for page in client.iter_pages(flows.task_pages()):
        ...
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow_provider_renderbus.api import calls, validation
from airflow_provider_renderbus.api.errors import InvalidResponse, UnknownTask
from airflow_provider_renderbus.api.platforms import parse_platform
from airflow_provider_renderbus.api.text import join_limited

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.account import HardwareConfig
    from airflow_provider_renderbus.api.models.frames import Frame, FrameState
    from airflow_provider_renderbus.api.models.page import Page
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.api.models.transfer import OutputFile
    from airflow_provider_renderbus.api.states import FrameStatus
    from airflow_provider_renderbus.api.validation import TaskId

T = TypeVar("T")
Batch: TypeAlias = "list[Call[Any]]"
Flow: TypeAlias = Generator[Batch, list[Any], T]
PagedFlow: TypeAlias = Generator[Batch, "list[Page[T]]", None]

MAX_CONCURRENCY = 8
# If all pages are needed, a batch holds more of them, so that fewer batches wait for their slowest response.
_PAGES_PER_BATCH = 8 * MAX_CONCURRENCY
# A list without end is read up to these limits; what is longer is an invalid response.
MAX_PAGES, MAX_RECORDS = 2_000, 200_000
MAX_FOLDERS, MAX_FOLDER_DEPTH, MAX_FILES = 2_000, 32, 200_000


def task_pages(**filters: Any) -> PagedFlow[TaskInfo]:
    """Query all pages of the account's tasks, with filters of `calls.get_task_list`."""
    return _pages(lambda page_num: calls.get_task_list(page_num=page_num, **filters))


def list_frames(task_id: TaskId) -> Flow[tuple[Frame, ...]]:
    """Query all frames of a leaf task."""
    return tuple(
        (yield from _all_items(lambda page_num: calls.query_task_frames(task_id, page_num=page_num)))
    )


def list_frame_states(task_id: TaskId, statuses: Collection[FrameStatus]) -> Flow[tuple[FrameState, ...]]:
    """Query the frames of a leaf task that have one of some statuses.

    Of a hundred thousand frames only what names and states them is read and kept.
    """
    from airflow_provider_renderbus.api.models.frames import read_frame_state
    from airflow_provider_renderbus.api.models.page import page_reader

    read = page_reader(read_frame_state)

    def page(page_num: int) -> Call[Page[FrameState]]:
        call: Any = calls.query_task_frames(task_id, page_num=page_num)
        return replace(call, read=read)

    return tuple((yield from _all_items(page, lambda frame: frame.status in statuses)))


def _all_items(
    page: Callable[[int], Call[Page[T]]], keep: Callable[[T], bool] | None = None
) -> Flow[list[T]]:
    """Query the items of all pages, or those that a function accepts."""
    items: list[T] = []
    pages = _pages(page, _PAGES_PER_BATCH)
    batch = next(pages, None)
    while batch is not None:
        results = yield batch
        for each in results:
            items += each.items if keep is None else filter(keep, each.items)
        batch = _send_or_none(pages, results)
    return items


def get_tasks(task_ids: Iterable[TaskId]) -> Flow[dict[int, TaskInfo]]:
    """Query any number of tasks, a hundred per request, and return those that exist, by id."""
    unique = list(dict.fromkeys(validation.parse_task_ids("task_ids", task_ids)))
    size = validation.MAX_PAGE_SIZE
    pages = [unique[start : start + size] for start in range(0, len(unique), size)]
    results = yield [calls.query_task_info(page) for page in pages]
    return {task_id: task for tasks in results for task_id, task in tasks.items()}


def get_task(task_id: TaskId) -> Flow[TaskInfo]:
    """Query one task.

    :raises UnknownTask: there is no such task on the farm.
    """
    parsed = validation.parse_task_id("task_id", task_id)
    (tasks,) = yield [calls.query_task_info([parsed])]
    if parsed not in tasks:
        raise UnknownTask(parsed)
    task: TaskInfo = tasks[parsed]
    return task


def leaf_task_ids(task_id: TaskId) -> Flow[tuple[int, ...]]:
    """Query the ids of a task's leaves; its own id if the task is not layered.

    :raises UnknownTask: there is no such task on the farm.
    """
    task = yield from get_task(task_id)
    return tuple(leaf.id for leaf in task.leaves())


def frame_ids_by_name(
    task_id: TaskId, names: Iterable[str], *, argument: str = "names"
) -> Flow[dict[int, list[int]]]:
    """Query the ids of frames in all leaves of a task, by id of their leaf. See :func:`frames_by_name`."""
    frames = yield from frames_by_name(task_id, names, argument=argument)
    return {leaf_id: [frame.id for frame in each] for leaf_id, each in frames.items()}


def frames_by_name(
    task_id: TaskId, names: Iterable[str], *, argument: str = "names"
) -> Flow[dict[int, list[Frame]]]:
    """Query frames in all leaves of a task by their names, and return them by id of their leaf.

    Names are compared as text, because they have three forms. Several frames can have the same name; all
    of them are returned.

    :param names: names of frames as the farm shows them, e.g. "6" or "7-9[1]".
    :param argument: the caller's name of `names`, for error messages.
    :raises ValueError: no frame has one of the names.
    :raises UnknownTask: there is no such task on the farm.
    """
    unique = list(dict.fromkeys(validation.non_empty_strs(argument, names)))
    if not unique:
        raise ValueError(f"{argument}: must be at least one frame name")
    frames: dict[int, list[Frame]] = {}
    existing: set[str] = set()
    for leaf_id in (yield from leaf_task_ids(task_id)):
        for frame in (yield from list_frames(leaf_id)):
            existing.add(frame.name)
            if frame.name in unique:
                frames.setdefault(leaf_id, []).append(frame)
    missing = [name for name in unique if name not in existing]
    if missing:
        details = join_limited(
            [f"{name!r} (the nearest: {_closest_names(name, existing)})" for name in missing]
        )
        raise ValueError(f"{argument}: task {task_id} has no frame {details}")
    return frames


def list_output_files(task_id: TaskId) -> Flow[tuple[OutputFile, ...]]:
    """List a task's files in the output storage, of all its leaves. See :func:`list_leaf_files`.

    :raises UnknownTask: there is no such task on the farm.
    """
    leaf_ids = yield from leaf_task_ids(task_id)
    return (yield from list_leaf_files(leaf_ids))


def list_leaf_files(leaf_ids: Iterable[int]) -> Flow[tuple[OutputFile, ...]]:
    """List the files of leaf tasks in the output storage, in nested folders too, sorted by path.

    :raises InvalidResponse: the folders are more, or nested deeper, than those of any render.
    """
    files: dict[str, OutputFile] = {}
    listed: set[str] = set()
    results = yield [calls.get_output_files(leaf_id) for leaf_id in leaf_ids]
    for _ in range(MAX_FOLDER_DEPTH):
        entries = [entry for folder in results for entry in folder]
        files |= {entry.path: entry for entry in entries if not entry.is_directory}
        folders = {entry.path for entry in entries if entry.is_directory} - listed
        if not folders:
            return tuple(files[path] for path in sorted(files))
        listed |= folders
        if len(listed) > MAX_FOLDERS or len(files) > MAX_FILES:
            raise InvalidResponse(
                "get_output_files",
                f"must list at most {MAX_FOLDERS} folders and {MAX_FILES} files of a task, got more",
            )
        results = yield [calls.get_output_files(tree_path=path) for path in sorted(folders)]
    raise InvalidResponse("get_output_files", f"folders are nested deeper than {MAX_FOLDER_DEPTH} levels")


def select_hardware(
    platform: int | str,
    cg_id: int,
    *,
    model: str | None = None,
    ram: int | None = None,
    gpu_num: int | None = None,
) -> Flow[tuple[HardwareConfig, ...]]:
    """Select the machines of one type that can render a software on a platform.

    :param model: model of the machines, e.g. "Default".
    :param ram: memory of the machines in GB, e.g. 64.
    :param gpu_num: number of graphics cards of the machines; 0 for CPU machines.
    :return: one or more configurations with the same model, memory and graphics cards.
    :raises ValueError: no machine matches, or machines of several types do, which differ in price. The error
        lists the available types.
    """
    platform_id = parse_platform("platform", platform)
    (configs,) = yield [calls.list_hardware_configs()]
    supported = [config for config in configs if config.supports(platform_id, cg_id)]
    selected = tuple(
        config
        for config in supported
        if (model is None or config.model == model)
        and (ram is None or _leading_int(config.ram) == ram)
        and (gpu_num is None or _leading_int(config.gpu_num) == gpu_num)
    )
    query = (
        f"platform {platform_id} for software {cg_id} with model={model!r}, ram={ram!r}, gpu_num={gpu_num!r}"
    )
    if not selected:
        raise ValueError(f"no machine of {query}; available: {describe_hardware(supported) or 'none'}")
    if len({_hardware_key(config) for config in selected}) > 1:
        raise ValueError(
            f"several types of machine, which differ in price, are of {query}: "
            f"{describe_hardware(selected)}; set as many of model, ram and gpu_num as select one type"
        )
    return selected


def _pages(page: Callable[[int], Call[Page[T]]], batch_size: int = MAX_CONCURRENCY) -> PagedFlow[T]:
    """Query the first page, which holds the page count, and then batches of the others.

    It ends after the last page or after an empty page, whichever comes first.

    :raises InvalidResponse: the farm lists more records than it announces, or does not stop listing.
    """
    call = page(1)
    results = yield [call]
    end = results[0].page_count + 1
    count = total = 0
    for start in itertools.count(2, batch_size):
        count += sum(len(each.items) for each in results)
        # Records may be added while the pages are queried.
        total = max(total, *(each.total for each in results))
        if total and count > total:
            raise InvalidResponse(call.name, f"the farm announces {total} records and lists {count}")
        if start >= end or not all(each.items for each in results):
            return
        if start > MAX_PAGES or count > MAX_RECORDS:
            raise InvalidResponse(
                call.name, f"must list at most {MAX_RECORDS} records on {MAX_PAGES} pages, got more"
            )
        results = yield [page(page_num) for page_num in range(start, min(start + batch_size, end))]


def _send_or_none(pages: PagedFlow[T], results: list[Page[T]]) -> Batch | None:
    try:
        return pages.send(results)
    except StopIteration:
        return None


def _closest_names(name: str, names: Iterable[str]) -> str:
    frame = _first_frame(name)
    closest = heapq.nsmallest(3, names, key=lambda other: (abs(_first_frame(other) - frame), other))
    return join_limited([*map(repr, closest)], ", ") or "it has none"


def _first_frame(name: str) -> int:
    digits = re.search(r"\d{1,18}", name)
    return int(digits[0]) if digits else 0


def _hardware_key(config: HardwareConfig) -> tuple[str | None, int, int]:
    return config.model, _leading_int(config.ram), _leading_int(config.gpu_num)


def describe_hardware(configs: Iterable[HardwareConfig]) -> str:
    """Return the types of machines, such as "Default, 64GB, no GPU"; "" for none."""
    types = (f"{config.model}, {config.ram}, {config.gpu_num or 'no GPU'}" for config in configs)
    return join_limited([*dict.fromkeys(types)])


def _leading_int(value: str | None) -> int:
    """Return the integer in "64GB" or "2*GPU"; 0 if there is none."""
    digits = (value or "").partition("*")[0].upper().removesuffix("GB").strip()
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else 0
