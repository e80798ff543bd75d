"""A value that must not be seen."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_renderbus.api.parsing import read_str

if TYPE_CHECKING:
    from collections.abc import Iterator


class Secret:
    """Holds a text that the farm handed out in confidence, and shows it only when asked to.

    It is in no repr and cannot be pickled, nor can a model that holds one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """Return the text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret of the farm cannot be pickled; ask the farm for it where it is needed")


def find_secrets(value: Any) -> Iterator[Secret]:
    """Yield the secrets that an answer holds, in models within models too."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from find_secrets(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from find_secrets(getattr(value, field.name))


def read_secret(value: Any) -> Secret:
    """Read a text that must not be seen."""
    return Secret(read_str(value))
