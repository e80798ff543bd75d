"""What is to go wrong with a transfer: told in an environment variable or in a file of the farm's storage.

The text is a few words: ``after=N`` files (none where it is not there), ``half`` of the next file under its
final name, ``silence`` for ever, and ``exit=CODE`` (1 where it is not there). ``times=N`` in the file has it
happen to the next N transfers only; the file counts down and is gone at the end.
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
_WORD = re.compile(r"(half|silence)|(after|times)=(\d{1,9})|(exit)=(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong.

    :param after: files that are copied before it does.
    :param half: half of the next file is written, under its final name.
    :param silence: the command goes on for ever and does nothing.
    :param exit: the exit code.
    """

    after: int = 0
    half: bool = False
    hang: bool = False
    exit: int = 1


def load_fault(storage: Path) -> Fault | None:
    """Return what is to go wrong with this transfer, and count it where it is counted.

    :param storage: the farm's storage folder.
    :raises ValueError: the text cannot be read.
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


def _parse(where: str, text: str) -> tuple[Fault, int | None]:
    values: dict[str, int] = {}
    for word in text.split():
        match = _WORD.fullmatch(word)
        if not match:
            raise ValueError(
                f"{where} has {word[:80]!r}; expected half, silence, exit=0 to 255, after=N files, times=N"
            )
        values |= {match[1]: 1} if match[1] else {match[2] or match[4]: int(match[3] or match[5])}
    fault = Fault(values.get("after", 0), "half" in values, "silence" in values, values.get("exit", 1))
    return fault, values.get("times")
