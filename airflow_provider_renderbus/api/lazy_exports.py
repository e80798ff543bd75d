"""Lets a package export names of its modules without importing the modules.

Airflow parses DAG files all the time, and parsing needs neither calls nor models nor every operator.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def lazy_getattr(package: str, names: Collection[str], *modules: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a package that imports its modules when a name is first used.

    :param names: names that the package exports; each is defined in one of the modules.
    :param modules: modules of the package, imported in this order until one defines the name.
    """

    def load(name: str) -> Any:
        exports = vars(sys.modules[package])
        for module in modules if name in names else ():
            members = vars(import_module(f"{package}.{module}"))
            exports.update({each: members[each] for each in names if each in members})
            if name in exports:
                return exports[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
