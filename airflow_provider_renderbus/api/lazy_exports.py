"""Packages whose names are loaded when the first of them is used.

A DAG file that is parsed needs neither calls nor models, and Airflow parses DAG files all the time.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def names_from(package: str, names: Collection[str], *modules: str) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``, which loads its modules at the first use of one of its names.

    :param package: the package's own name.
    :param names: what it exports, each the name of something in one of the modules.
    :param modules: its modules that hold them.
    """

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        for module in modules:
            found = vars(import_module(f"{package}.{module}"))
            vars(sys.modules[package]).update({each: found[each] for each in names if each in found})
        return vars(sys.modules[package])[name]

    return load
