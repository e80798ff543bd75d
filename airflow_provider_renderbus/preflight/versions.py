"""Versions as the farm and people write them: "R21" and "21", "13.2v9", "standalone_vray5.00.05"."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.task_json.names import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Letters and a dotted number, of ASCII digits: the farm reads no others.
_START = r"[a-z_ -]*([0-9]{1,9}(?:\.[0-9]{1,9}){0,7})"
# Perhaps a build number such as v9 or SP8, perhaps words such as LTS.
_VERSION = re.compile(
    rf"{_START}(?:[ _-]?(?:v|sp|build|r)?[ _-]?([0-9]{{1,9}}))?(?:[ _-]?[a-z]{{1,9}}){{0,3}}"
)
# "19.5.435-py3", "5.3.4.1+b77", "2024 Update 1".
_WITH_METADATA = re.compile(rf"{_START}()(?:[ _-][0-9]+)?[ _.-]*[a-z+(\[].*", re.DOTALL)
_WORD = re.compile(r"[0-9]+(?:\.[0-9]+)*|[^\W\d_]+")
_DIGITS = re.compile("[0-9]{1,9}")
_MIN_RATIO = 0.6


class VersionMatch(NamedTuple):
    """The versions of a list that a version is.

    :param exact: whether it is written as in the list.
    :param versions: as they are in the list; empty if it is none, several if it is not precise.
    """

    exact: bool
    versions: tuple[str, ...]


def match_version(given: str, listed: Iterable[str], names: Iterable[str] = ()) -> VersionMatch:
    """Return which versions of a list a version is.

    The same number is the same version, with other letters around it or with a name before it. A version may
    have more parts than the one in the list ("2020.4" is "2020"), or less if no other one begins with them.
    It may have metadata that the one in the list has not ("19.5.435-py3" is "19.5.435").

    :param names: of the software or plug-in, which may be before a version.
    """
    choices = list(listed)
    texts = [each for each in choices if _words(each, names) == _words(given, names)]
    if texts:
        return VersionMatch(given in texts, (given if given in texts else texts[0],))
    number = _number(given, names)
    if not number:
        number = _number(given, names, _WITH_METADATA)
        plain = [each for each in choices if _is_beginning(_number(each, names), number)]
        return VersionMatch(False, tuple(sorted(plain, key=lambda each: len(_number(each, names)))[-1:]))
    # A list may have words around a version that nobody expects: "2024 (stable)".
    is_part = re.compile(rf"(?<![\d.]){re.escape(given.strip())}(?![\d.])", re.IGNORECASE)
    parts = [each for each in choices if not _number(each, names) and is_part.search(each)]
    numbers = {each: _number(each, names) or tuple(map(int, _DIGITS.findall(each))) for each in choices}
    same = [each for each in choices if numbers[each] and _stripped(numbers[each]) == _stripped(number)]
    longer = [each for each in choices if numbers[each][: len(number)] == number]
    shorter = [each for each in choices if _is_beginning(numbers[each], number)]
    most_precise = sorted(shorter, key=lambda each: len(numbers[each]))[-1:]
    return VersionMatch(False, tuple(dict.fromkeys(same[:1] or longer or most_precise or parts)))


def nearest_versions(given: str, listed: Iterable[str], names: Iterable[str] = ()) -> list[str]:
    """Return the versions of a list, the most alike first.

    One of the same characters in another order comes first, then the characters count, then the number.
    """
    given = unicodedata.normalize("NFKC", given)  # full-width digits
    number = _number(given, names)

    def unlikeness(other: str) -> tuple[bool, float, float, str]:
        is_swapped = sorted(given.casefold()) == sorted(other.casefold())
        ratio = difflib.SequenceMatcher(None, given.casefold(), other.casefold()).ratio()
        return (
            not is_swapped,
            -round(ratio, 2) if ratio >= _MIN_RATIO else 0.0,
            _distance(number, _number(other, names)),
            other,
        )

    return sorted(dict.fromkeys(listed), key=unlikeness)


def _number(version: str, names: Iterable[str], pattern: re.Pattern[str] = _VERSION) -> tuple[int, ...]:
    """Return the number of a version; empty if it has none."""
    match = pattern.fullmatch(_without_name(version, names))
    if match is None:
        return ()
    return tuple(int(part) for part in [*match[1].split("."), *([match[2]] if match[2] else [])])


def _words(version: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return numbers and words, so that "19.5.435 - Py3.9" is "19.5.435-py3.9", but "4.2." is not "4.2"."""
    text = _without_name(version, names)
    words = _WORD.findall(text)
    return tuple(words) if len(words) > 1 else (text,)


def _without_name(version: str, names: Iterable[str]) -> str:
    """Return a version in lower case, without the name before it."""
    text = version.strip().casefold()
    for name in sorted(names, key=len, reverse=True):
        rest = text.removeprefix(name.casefold())
        # "UE5.4" is not ".4" of UE5.
        is_cut = name[-1:].isdigit() and rest[:1] in {".", *"0123456789"}
        if rest != text and not is_cut and normalize(rest):
            return rest.strip(" _-")
    return text


def _is_beginning(number: Sequence[int], other: Sequence[int]) -> bool:
    return bool(number) and other[: len(number)] == number


def _stripped(number: Sequence[int]) -> tuple[int, ...]:
    """Return a number without zeros at its end, so that 4.2.0 is 4.2."""
    size = max((index for index, part in enumerate(number, 1) if part), default=0)
    return tuple(number[:size])


def _distance(number: Sequence[int], other: Sequence[int]) -> float:
    """Return how far a version is from another one: the first parts weigh most."""
    total = 0.0
    for index in range(max(len(number), len(other))):
        left = number[index] if index < len(number) else 0
        right = other[index] if index < len(other) else 0
        total += abs(left - right) / 1000**index
    return total
