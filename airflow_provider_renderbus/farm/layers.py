"""Layered scenes: a parent, its leaves, and the passes of which one waits for the other.

The parent stays at WAITING. A preprocessing leaf goes first and its siblings, which are listed from the
start, wait for it. A photon leaf is listed alone: the main leaf follows some seconds after its end.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.chance import drawn
from airflow_provider_renderbus.farm.task_json import read_jobs
from airflow_provider_renderbus.farm.tasks import Event, Kind, Task, TaskState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_renderbus.farm.life import Life
    from airflow_provider_renderbus.farm.task_json import Job

MAIN_AFTER_PHOTON = (4, 11)
"""Farm seconds from the end of the photon pass to the main pass, as in the documents' examples."""


def open_parent(life: Life, task: Task, jobs: Sequence[Job], passes: Sequence[str]) -> None:
    """Make a submitted task a parent, and open the leaves with which it begins."""
    task.kind = Kind.PARENT
    if "preprocess" in passes:
        _open(life, task, Kind.PREPROCESS, jobs[:1])
    _open(life, task, Kind.PHOTON if "photon" in passes else Kind.MAIN, jobs)


def leaf_ended(life: Life, leaf: Task) -> None:
    """Let others go on that have waited for a leaf, which need not have one."""
    if leaf.parent:
        follow(life, life.tasks[leaf.parent])


def follow(life: Life, parent: Task) -> None:
    """Do what is next for a parent after one of its leaves has ended or was started."""
    before = [leaf for leaf in parent.leaves if leaf.kind is Kind.PREPROCESS]
    for leaf in parent.leaves:
        if leaf.held and leaf.state is TaskState.WAITING and leaf not in before:
            if all(first.state is TaskState.FINISHED for first in before):
                life.queue(leaf)
                life.touch(leaf)
            elif any(first.state is TaskState.FAILED for first in before):
                life.halt(leaf, Event.BROKEN)
    rest = [leaf for leaf in parent.leaves if leaf not in before]
    photons_done = all(leaf.kind is Kind.PHOTON and leaf.state is TaskState.FINISHED for leaf in rest)
    if photons_done and parent.due is None:
        pause = drawn("main pass", parent.number, life.scenario.seed, MAIN_AFTER_PHOTON)
        life.look_at(parent, life.moment + pause)
        life.touch(parent)


def go_on(life: Life, parent: Task) -> None:
    """Open the main leaves of a parent whose photon pass has ended."""
    parent.due = None
    task_json = json.loads(life.books.file(parent.number, "task.json") or "{}")
    _open(life, parent, Kind.MAIN, read_jobs(task_json))
    life.touch(parent)


def _open(life: Life, parent: Task, kind: Kind, jobs: Iterable[Job]) -> None:
    waits = any(
        leaf.kind is Kind.PREPROCESS and leaf.state is not TaskState.FINISHED for leaf in parent.leaves
    )
    for job in jobs:
        leaf = life.create(parent.platform, kind, parent)
        life.equip(leaf, job)
        leaf.held = waits
        if not waits:
            life.queue(leaf)
