"""A value that must not be shown."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_renderbus.api.parsing import read_str

if TYPE_CHECKING:
    from collections.abc import Iterator


class Secret:
    """A secret string of the farm, which only `get_secret_value` returns.

    It is in no repr and cannot be pickled, nor can a model that holds one.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """Return the string."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret of the farm cannot be pickled; request it again where it is needed")


def find_secrets(value: Any) -> Iterator[Secret]:
    """Yield the secrets in a result, in nested models too."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from find_secrets(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from find_secrets(getattr(value, field.name))


def read_secret(value: Any) -> Secret:
    """Read a string that must not be shown."""
    return Secret(read_str(value))
