"""Checks that the frames of a layer have files: what the farm calls done against files and their sizes.

The farm's API maps no frame to a file. A frame is called missing only if every file name of the layer carries
exactly one of its frame numbers. A number that is the same in all names of a kind, such as that of a shot, is
no frame number. If the names are of another form, only empty files and a layer without files count.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_renderbus.api.frame_names import describe_frames
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.api.text import join_limited

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow_provider_renderbus.api.models.frames import Frame

_DIGITS = re.compile(r"[0-9]{1,18}")
_BEAUTY = re.compile(r"(?<![a-z])(beauty|combined|rgba?)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LayerDelivery:
    """What a layer lacks.

    :param frames: frames that are done and have no file, or an empty one, as far as names say so.
    :param problems: what is missing, in words.
    :param doubts: what may be missing, in words.
    """

    frames: tuple[Frame, ...] = ()
    problems: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class _Kind(NamedTuple):
    """The files of a layer whose paths differ only in numbers, e.g. its beauty or its normals."""

    paths: list[str]
    numbers: list[frozenset[int]]

    def path_of(self, number: int) -> str:
        """Return the path that a frame would have."""
        path = self.paths[0]
        (carried,) = self.numbers[0]
        match = next(each for each in reversed(list(_DIGITS.finditer(path))) if int(each[0]) == abs(carried))
        width = len(match[0]) if match[0].startswith("0") else 0
        return f"{path[: match.start()]}{abs(number):0{width}}{path[match.end() :]}"


def check_layer(
    frames: Iterable[Frame],
    files: Mapping[str, int | None],
    pattern: str = "*",
    *,
    unusable: Mapping[str, str] | None = None,
    texts: Collection[str] = (),
    place: str = "the farm lists",
) -> LayerDelivery:
    """Check the files of a layer against its frames.

    :param frames: the frames of the layer.
    :param files: sizes by path, of all files of the layer; None if unknown.
    :param pattern: the files that are asked for.
    :param unusable: by path, why files do not count, such as "not in the folder". Empty ones never count.
    :param texts: texts in file names that are no frame number, such as the name of the scene.
    :param place: where the files are, for messages.
    """
    found = _sort_frames(frames)
    if not files:
        if not found.done:
            return LayerDelivery()
        names = describe_frames(frame.name for frame in found.done)
        return LayerDelivery(tuple(found.done), (f"{place} no file, though frames {names} are done",))
    reasons = {path: "empty" for path, size in files.items() if size == 0} | dict(unusable or {})
    check = _Check(found, pattern, _group(files, found.numbers, texts), reasons)
    check.find_unusable()
    check.find_missing(place)
    return LayerDelivery(tuple(dict.fromkeys(check.lacking)), tuple(check.problems), tuple(check.doubts))


def match_files(
    frames: Iterable[Frame], paths: Iterable[str], texts: Collection[str] = ()
) -> dict[str, Frame]:
    """Return the files that show a frame each, as far as that is sure: one for each frame that is done.

    It is sure for files of a kind if each of their names carries exactly one frame number, and no two the
    same. A kind of one file is not sure, unless there is one frame only.

    :param paths: of all pictures of a layer.
    :param texts: as those of :func:`check_layer`.
    """
    found = _sort_frames(frames)
    matches: dict[str, Frame] = {}
    matched: set[Frame] = set()
    for kind in sorted(_group(paths, found.numbers, texts), key=_preference):
        numbers = [number for carried in kind.numbers for number in carried]
        is_sure = all(len(carried) == 1 for carried in kind.numbers) and len(set(numbers)) == len(numbers)
        if not is_sure or (len(numbers) == 1 < len(found.numbers)):
            continue
        for number, path in sorted(zip(numbers, kind.paths, strict=True)):
            owners = found.by_number.get(number, [])
            # A frame that is rendered in tiles has several owners.
            if len(owners) == 1 and owners[0] not in matched:
                matches[path] = owners[0]
                matched.add(owners[0])
    return matches


def _preference(kind: _Kind) -> tuple[bool, bool, int, str]:
    """Return the place of a kind among others: what is called beauty first, EXR files after others."""
    path = kind.paths[0]
    return not _BEAUTY.search(path), path.lower().endswith(".exr"), len(path), path


@dataclass(slots=True)
class _Frames:
    """The frames of a layer.

    :param numbers: of all frames.
    :param done: those that are done.
    :param by_number: those whose file is therefore to be there.
    """

    numbers: set[int]
    done: list[Frame]
    by_number: dict[int, list[Frame]]


def _sort_frames(frames: Iterable[Frame]) -> _Frames:
    result = _Frames(set(), [], {})
    pending: set[int] = set()
    for frame in frames:
        if not frame.has_files:
            continue
        numbers = frame.numbers
        result.numbers.update(numbers)
        if frame.status is not FrameStatus.DONE:
            pending.update(numbers)
            continue
        result.done.append(frame)
        for number in numbers:
            result.by_number.setdefault(number, []).append(frame)
    for number in pending & result.by_number.keys():
        del result.by_number[number]
    return result


@dataclass(slots=True)
class _Check:
    """The findings on one layer."""

    frames: _Frames
    pattern: str
    kinds: Sequence[_Kind]
    unusable: Mapping[str, str]
    lacking: list[Frame] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def find_unusable(self) -> None:
        """Find files that do not count among those that are asked for."""
        numbers: dict[str, dict[int, None]] = {}
        names: dict[str, list[str]] = {}
        for kind in self.kinds:
            for path, carried in zip(kind.paths, kind.numbers, strict=True):
                reason = self.unusable.get(path)
                if reason and self._is_asked_for(path):
                    if len(carried) == 1:
                        if carried.isdisjoint(self.frames.by_number):
                            continue  # its frame is not done, e.g. because it is rendered again
                        numbers.setdefault(reason, {}).update(dict.fromkeys(carried))
                    names.setdefault(reason, []).append(path.rpartition("/")[2])
        for reason, paths in names.items():
            found = numbers.get(reason, {})
            what = f"frames {describe_frames(map(str, found))}: {reason}" if found else reason
            self.problems.append(f"{what} ({join_limited(paths)})")
            self.lacking += [frame for number in found for frame in self.frames.by_number.get(number, ())]

    def find_missing(self, place: str) -> None:
        """Find frames without a file, if the names allow it."""
        has_numbers = all(len(numbers) == 1 for kind in self.kinds for numbers in kind.numbers)
        if not has_numbers or not self.frames.by_number:
            files = sum(len(kind.paths) for kind in self.kinds)
            if files < len(self.frames.by_number):
                self.doubts.append(
                    f"{place} {files:,} files for {len(self.frames.by_number):,} frames that are done; their "
                    f"names do not carry the frame numbers, so missing frames cannot be named"
                )
            return
        asked = [
            (kind, {number for (number,) in kind.numbers})  # unusable ones are known to be missing already
            for kind in self.kinds
            if any(map(self._is_asked_for, kind.paths))
        ]
        missing = []
        for number in sorted(self.frames.by_number):
            absent = [
                kind.path_of(number)
                for kind, present in asked
                if number not in present and self._is_asked_for(kind.path_of(number))
            ]
            if absent and len(absent) == len(asked):
                missing.append(number)
            elif absent:
                self.doubts.append(f"{place} no {absent[0].rpartition('/')[2]}")
        if missing:
            names = [str(number) for number in missing]
            self.problems.append(f"{place} no file of frames {describe_frames(names)}")
            self.lacking += [frame for number in missing for frame in self.frames.by_number[number]]

    def _is_asked_for(self, path: str) -> bool:
        return fnmatch.fnmatchcase(path, self.pattern)


def _group(paths: Iterable[str], numbers: Collection[int], texts: Collection[str]) -> list[_Kind]:
    """Group files by what their paths have beside numbers, with the frame numbers that each name carries."""
    known = [
        re.compile(rf"(?<![0-9]){re.escape(text)}(?![0-9])")
        for text in sorted(filter(None, texts), key=len, reverse=True)
    ]
    groups: dict[tuple[str, ...], list[tuple[str, list[int]]]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        for text in known:
            name = text.sub("\0", name, count=1)
        words = _DIGITS.split(name)
        values = [
            # Negative if there is only such a frame or a minus sign says so.
            -int(digits) if before.endswith("-") and -int(digits) in numbers else int(digits)
            for before, digits in zip(words, _DIGITS.findall(name), strict=False)
        ]
        groups.setdefault((folder, *words), []).append((path, values))
    return [_kind(group, numbers) for group in groups.values()]


def _kind(group: Sequence[tuple[str, list[int]]], numbers: Collection[int]) -> _Kind:
    columns = list(zip(*(values for _, values in group), strict=True))
    varying = [len(group) == 1 or len(set(column)) > 1 for column in columns]
    return _Kind(
        [path for path, _ in group],
        [
            frozenset(
                value for value, varies in zip(values, varying, strict=True) if varies and value in numbers
            )
            for _, values in group
        ],
    )
