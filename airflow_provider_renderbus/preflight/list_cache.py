"""Keeps the farm's lists in one file per worker and account, so that a night of renders queries them once.

The file is private to its user, is replaced as a whole, and holds no secret. One that cannot be read counts
as empty, and one that cannot be written is no error: the lists are then queried again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_renderbus.clients.clock import Clock

MAX_AGE = 3600.0
"""Seconds for which a list is used."""
MAX_FAILURE_AGE = 300.0
"""Seconds for which a list that could not be had is not queried again."""
_LOCK_TIMEOUT, _LOCK_INTERVAL = 15.0, 0.1
_FORMAT = 1
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class CachedList:
    """The data of a response, or why there is none.

    :param time: when it was queried, in seconds since 1970.
    :param data: the data, None if there is none.
    :param error: why there is none, else "".
    """

    time: float
    data: Any = None
    error: str = ""

    def is_fresh(self, now: float, max_age: float = MAX_AGE) -> bool:
        """Return whether it can be used."""
        limit = min(max_age, MAX_FAILURE_AGE) if self.error else max_age
        return 0 <= now - self.time <= limit


def account_name(domain: str, access_id: str, platform: int) -> str:
    """Return the name of an account's file, which neither the access id nor the key can be read from."""
    return hashlib.sha256(f"{domain} {access_id} {platform}".encode()).hexdigest()[:24]


class ListCache:
    """The cached lists of an account.

    :param folder: the folder of the file; it is created, and only its user can read it.
    :param account: result of :func:`account_name`.
    :param clock: gives the time, and waits while another process queries the farm.
    """

    def __init__(self, folder: Path, account: str, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._path, self._lock_path = folder / f"{account}.json", folder / f"{account}.lock"

    def load(self) -> dict[str, CachedList]:
        """Return what is cached, by name of the list."""
        try:
            self._check_folder()
            with self._path.open("rb") as file:
                content = json.loads(file.read(_MAX_BYTES))
            lists = content["lists"] if content["format"] == _FORMAT else {}
            return {
                name: CachedList(float(entry["time"]), entry["data"], str(entry["error"]))
                for name, entry in lists.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return {}

    def save(self, lists: Mapping[str, CachedList]) -> None:
        """Add lists to the file. What is too old is dropped."""
        now = self._clock.now()
        merged = {**self.load(), **lists}
        content = {
            "format": _FORMAT,
            "lists": {
                name: {"time": each.time, "data": each.data, "error": each.error}
                for name, each in merged.items()
                if each.is_fresh(now)
            },
        }
        with contextlib.suppress(OSError, ValueError, RecursionError):
            self._make_folder()
            descriptor, partial = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._folder)
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    json.dump(content, file)
                Path(partial).replace(self._path)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process of this worker query the farm at a time.

        The others wait for it, but not for long: what it cannot do in that time, each does on its own.
        """
        descriptor = None
        try:
            with contextlib.suppress(OSError):
                self._make_folder()
                descriptor = os.open(
                    self._lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
                )
                self._wait_for(descriptor)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        deadline = self._clock.monotonic() + _LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock.monotonic() >= deadline:
                    return
                self._clock.sleep(_LOCK_INTERVAL)
            else:
                return

    def _make_folder(self) -> None:
        """Create the folder.

        :raises PermissionError: it belongs to somebody else, or others can write to it.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_folder()

    def _check_folder(self) -> None:
        """Check that only its user can have written what is in the folder.

        :raises PermissionError: it belongs to somebody else, or others can write to it.
        :raises FileNotFoundError: there is none.
        """
        status = self._folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"{self._folder} must be private")
