"""Simulated faults of a transfer, set by an environment variable or by a file in the farm's storage.

The text has these words: ``after=N`` files (default 0), ``half`` of the next file under its final name,
``hang`` forever, ``exit=CODE`` (default 1). In the file, ``times=N`` limits the fault to the next N
transfers: the file counts down and is deleted at the end.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FAULT_VARIABLE = "RENDERBUS_FARM_TRANSFER_FAULT"
FAULT_FILE = "transfer-fault"
_WORD = re.compile(r"(half|hang)|(after|times)=(\d{1,9})|(exit)=(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one transfer.

    :param after: number of files to copy before the fault.
    :param half: whether to write half of the next file under its final name.
    :param hang: whether to hang forever.
    :param exit: the exit code.
    """

    after: int = 0
    half: bool = False
    hang: bool = False
    exit: int = 1


def load_fault(storage: Path) -> Fault | None:
    """Return the fault of this transfer, None for no fault. Counts down ``times``.

    :param storage: storage folder of the farm.
    :raises ValueError: the text is invalid.
    """
    if text := os.environ.get(FAULT_VARIABLE):
        return _parse(FAULT_VARIABLE, text)[0]
    file = storage / FAULT_FILE
    try:
        text = file.read_text()
    except FileNotFoundError:
        return None
    fault, times = _parse(str(file), text)
    if times is not None and times <= 1:
        file.unlink()
    elif times is not None:
        file.write_text(re.sub(r"times=\d+", f"times={times - 1}", text))
    return None if times == 0 else fault


def _parse(source: str, text: str) -> tuple[Fault, int | None]:
    values: dict[str, int] = {}
    for word in text.split():
        match = _WORD.fullmatch(word)
        if not match:
            raise ValueError(
                f"{source}: must be half, hang, exit=0 to 255, after=N or times=N, got {word[:80]!r}"
            )
        values |= {match[1]: 1} if match[1] else {match[2] or match[4]: int(match[3] or match[5])}
    fault = Fault(values.get("after", 0), "half" in values, "hang" in values, values.get("exit", 1))
    return fault, values.get("times")
