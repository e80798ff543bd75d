"""A Python program that runs beside a benchmark, so that the two do not share an interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

_ROOT = Path(__file__).parents[2]


class Companion:
    """A module of this project, run as a program that takes and gives lines; it lives in a ``with`` block.

    :param module: name of the module.
    :param python: the interpreter to run it with; that of the benchmark where it is left out.
    """

    def __init__(self, module: str, python: str | Path = sys.executable) -> None:
        self._module = module
        self._process = subprocess.Popen(
            # The vendor's client warns that setuptools will drop a module that it imports.
            [python, "-W", "ignore", "-m", module],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def tell(self, line: str) -> None:
        """Give the program a line."""
        print(line, file=self._process.stdin, flush=True)

    def hear(self) -> str:
        """Return the program's next line.

        :raises SystemExit: the program has ended.
        """
        for line in self._process.stdout or ():
            return line.rstrip("\n")
        raise SystemExit(f"{self._module} has ended; what it complained of stands above.")
