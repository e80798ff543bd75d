"""Identifies a job: what the author of a DAG asked to render, in hashes that can be stored and compared.

A fingerprint covers what changes a picture: the files that describe the render, its project and its hardware.
Labels, artist, priority, transfers, budgets and waits are not part of it. The assets on disk have a hash of
their own, since a retry must not care about a scene that was saved again: the render has its copy.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VERSION = 1
# What Airflow stores for a key is limited to 64 KB.
_MAX_FIELDS = 500
_MAX_PATH_CHARS = 40_000
_MAX_DIFFERENCES = 8


@dataclass(frozen=True, slots=True)
class JobFingerprint:
    """The hashes of a job.

    :param job: of all fields.
    :param assets: of path, size and modification time of each asset; empty if the task uploads none.
    :param fields: of each field, by its path, for messages. A marker has no space for them.
    :param version: of the rules by which the hashes are made.
    """

    job: str
    assets: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION

    @classmethod
    def of(
        cls, values: Mapping[str, Any], assets: Iterable[tuple[str, int, int]] | None = None
    ) -> JobFingerprint:
        """Return the fingerprint of a job, from the operator's arguments as JSON values, and its assets.

        :param assets: path, size in bytes and modification time in seconds of each asset.
        """
        given = {name: value for name, value in values.items() if value not in (None, {}, [])}
        return cls(
            _hash(given, 10),
            "" if assets is None else _hash(sorted(assets), 10),
            {path: _hash(value, 6) for path, value in _fields(given).items()},
        )

    @classmethod
    def from_dict(cls, stored: Any) -> JobFingerprint | None:
        """Read what :meth:`to_dict` made, perhaps of another version; None if there is none."""
        types = {"job": str, "assets": str, "fields": dict, "version": int}
        if not isinstance(stored, dict) or any(
            not isinstance(stored.get(name), expected) for name, expected in types.items()
        ):
            return None
        return cls(**{name: stored[name] for name in types})

    def to_dict(self) -> dict[str, Any]:
        """Return the fingerprint as JSON."""
        return asdict(self)

    def is_comparable(self, other: JobFingerprint) -> bool:
        """Return whether two fingerprints were made by the same rules."""
        return self.version == other.version

    def differences(self, other: JobFingerprint) -> str:
        """Return which fields of two jobs differ, for a message; the hashes if the fields are not known."""
        paths = sorted(
            path for path in {*self.fields, *other.fields} if self.fields.get(path) != other.fields.get(path)
        )
        if not (self.fields and other.fields and paths):
            return f"fingerprint {self.job} instead of {other.job}"
        listed = ", ".join(paths[:_MAX_DIFFERENCES])
        more = len(paths) - _MAX_DIFFERENCES
        return f"{listed} and {more} more fields" if more > 0 else listed


def _hash(value: Any, size: int) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:size]


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by path, as deep as the limit allows."""
    for depth in (12, 4, 3, 2):
        fields = dict(_leaves("", values, depth))
        if len(fields) <= _MAX_FIELDS and sum(map(len, fields)) <= _MAX_PATH_CHARS:
            return fields
    return dict(values)


def _leaves(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if depth and isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), child, depth - 1)
    elif depth and isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, child in enumerate(value):
            yield from _leaves(f"{path}[{index}]", child, depth - 1)
    else:
        yield path, value
