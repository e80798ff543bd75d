"""A render farm on this machine: the protocol of Renderbus and Fox Renderfarm, jobs that live, real frames.

``python -m airflow_provider_renderbus.farm`` starts it; in a test, ``with Farm(folder, HandClock()) as farm``
serves it on a free port and :meth:`Farm.advance` lets its time pass. It needs the extra ``farm``. All that it
keeps lies in its storage folder, ``renderbus-farm`` in the current folder where none is named. docs/farm.md
tells how it is used, what it can be made to do, and what it does where the farm's documents are silent.

A request goes through these rooms, each of which knows only those after it::

    server ─▶ farm.handle ─▶ faults     what goes wrong with the answer, on demand
                          ─▶ gate       who asks: signature, timestamp, nonce
                          ─▶ calls      what is asked: fields in, the farm's JSON out
                               ─▶ orders     what customers order about tasks under way
                                    ─▶ life       what happens to tasks, at moments that it is told;
                                                  layers: parents, leaves and passes
                                         ─▶ register   all tasks, at hand or in the books
                                              ─▶ tasks      states, and the table of moves
                                              ─▶ pieces     a job cut into frames ─▶ task_json, ranges
                                              ─▶ scenario   how renders go ─▶ entries, chance
                                              ─▶ studio     pictures, made while the farm answers:
                                                            formats, tiles, passes; picture ─▶ world
                                                                 ─▶ march, scenery ─▶ solids
                                              ─▶ account, storage, books (SQLite)
    envelope: the form of all answers, and every reason for a refusal
    control:  orders to a running farm from another process

A browser goes from server to pages. transmitter is a command of its own: it finds the storage by enrolment.
Files that others name are reached through enclosure. docs/farm-pictures.md tells about all of these.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.farm import Farm
    from airflow_provider_renderbus.farm.simulation.clock import HandClock

__all__ = ["Farm", "HandClock"]

_HOMES = {"Farm": "farm", "HandClock": "simulation.clock"}


def __getattr__(name: str) -> Any:
    """Load what is asked for: the transfer command, which is in this package too, needs nothing of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as missing:
        if missing.name not in {"numpy", "PIL"}:
            raise
        raise ImportError(
            f"the embedded farm needs {missing.name}: install the extra farm (numpy and Pillow)",
            name=__name__,
        ) from missing
