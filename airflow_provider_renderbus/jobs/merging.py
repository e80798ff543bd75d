"""Laying one JSON object over another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with the fields of both; `over` wins, and objects in both are merged in turn.

    Lists and other values are replaced, never merged. Neither argument is changed.

    :param under: the object that gives way.
    :param over: the object that wins.
    """
    result = dict(under)
    for field, value in over.items():
        if isinstance(value, Mapping):
            present = result.get(field)
            result[field] = merged(present if isinstance(present, Mapping) else {}, value)
        else:
            result[field] = value
    return result
