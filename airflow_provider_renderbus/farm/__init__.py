"""A render farm on this machine: the protocol of Renderbus and Fox Renderfarm, jobs that live, real frames.

``python -m airflow_provider_renderbus.farm`` starts it; in a test, ``with Farm(folder, HandClock()) as farm``
serves it on a free port and :meth:`Farm.advance` lets its time pass. It needs the extra ``farm``. Account,
key and frames lie in its storage folder, ``renderbus-farm`` in the current folder where none is named.

A request goes through these rooms, each of which knows only those after it::

    server ─▶ farm.handle ─▶ gate       who asks: signature, timestamp, nonce
                          ─▶ calls      what is asked: fields in, the farm's JSON out
                               ─▶ life       tasks and their moves, at moments that it is told
                                    ─▶ tasks      states, and the table of moves
                                    ─▶ studio     pictures, made while the farm answers:
                                                  picture ─▶ world ─▶ march, scenery ─▶ solids
                                    ─▶ account, storage
    envelope: the form of all answers, and every reason for a refusal
"""

try:
    from airflow_provider_renderbus.farm.clock import HandClock
    from airflow_provider_renderbus.farm.farm import Farm
except ModuleNotFoundError as missing:
    if missing.name not in {"numpy", "PIL"}:
        raise
    # By the name of this module `python -m` knows that a message is all there is to print.
    raise ImportError(
        f"the embedded farm needs {missing.name}: pip install 'airflow-provider-renderbus[farm]'",
        name=__name__,
    ) from missing

__all__ = ["Farm", "HandClock"]
