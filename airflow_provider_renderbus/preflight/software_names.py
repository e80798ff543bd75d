"""Names of software, those of the farm and those of the documents, and the nearest of a few choices."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.task_json.names import normalize
from airflow_provider_renderbus.task_json.software import SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.preflight.listings import ListedSoftware

_CUTOFF = 0.5


def closest(value: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is most like a short value, such as an id or an extension."""
    ratios = {each: difflib.SequenceMatcher(None, value, each).ratio() for each in choices}
    return max(ratios, key=ratios.__getitem__) if max(ratios.values(), default=0.0) >= _CUTOFF else None


def software_name(software: ListedSoftware) -> str:
    """Return the name of a software for messages."""
    return next(iter(software_names(software)), f"software {software.cg_id}")


def software_names(software: ListedSoftware) -> list[str]:
    """Return all names of a software: the farm's first, then those of the documents."""
    documented = SOFTWARE.get(software.cg_id)
    own = (documented.cg_name, documented.name, *documented.aliases) if documented else ()
    return [name for name in dict.fromkeys((software.name, *own)) if name]


def has_name(software: ListedSoftware, name: Any) -> bool:
    """Return whether a software has a name, compared by letters and digits."""
    key = normalize(name) if isinstance(name, str) else ""
    return bool(key) and key in {normalize(each) for each in software_names(software)}
