"""The embedded farm: Renderbus and Fox Renderfarm on this machine, with jobs that progress and real frames.

``python -m airflow_provider_renderbus.farm`` starts it. In a test, :class:`Farm` with a :class:`ManualClock`
serves on a free port inside its ``with`` block, and :meth:`Farm.advance` lets time pass. It needs the extra
``farm``. All that it stores lies in its storage folder. docs/farm.md describes its use, its scenarios and
faults, and what it does if the farm's documents are silent.

A request passes through these modules from left to right; each uses those that are indented under it::

    server/server ─▶ farm ─▶ simulation/faults   what goes wrong with the answer, on demand
                          ─▶ auth                signature, timestamp, nonce
                          ─▶ calls/              one function per call: fields in, the farm's JSON out
                               ─▶ simulation/task_control      stop, start, recommit and the like
                                    ─▶ simulation/simulation        what happens to tasks as time advances
                                         ─▶ simulation/task_store   all tasks, in memory and in the database
                                              ─▶ simulation/tasks, chunks, scenario, account, database
                                              ─▶ pictures/, storage/

The packages:

- ``server``: the HTTP server, the envelope of all answers, every error code
- ``calls``: the calls of the protocol, their paths, the reading of their fields
- ``simulation``: task states and their transitions, time, money, the scenario, faults, SQLite
- ``pictures``: task.json read as jobs, frame ranges, the renderer of the frames
- ``storage``: folders of scenes and frames, access confined to one folder, its location
- ``pages``: the web console, served to browsers
- ``transmitter``: the transfer command, a program of its own, which asks the farm for its storage

``control`` sends commands to a running farm from another process.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.farm import Farm
    from airflow_provider_renderbus.farm.simulation.clock import ManualClock

__all__ = ["Farm", "ManualClock"]

_MODULES = {"Farm": "farm", "ManualClock": "simulation.clock"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: the transfer command, also in this package, needs neither extra."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in {"numpy", "PIL"}:
            raise
        raise ImportError(
            f"the embedded farm needs {error.name}: install the extra farm (numpy and Pillow)",
            name=__name__,
        ) from error
