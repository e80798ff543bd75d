"""Queries the farm's lists, or loads them from the cache. One that cannot be had has the reason."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import RenderbusError, TransportError
from airflow_provider_renderbus.api.parsing import raw_json
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.preflight import listings
from airflow_provider_renderbus.preflight.list_cache import MAX_AGE, CachedList

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.clients.clock import Clock
    from airflow_provider_renderbus.preflight.list_cache import ListCache
    from airflow_provider_renderbus.preflight.listings import (
        ListedHardware,
        ListedPlatform,
        ListedSoftware,
        Listing,
        SoftwareDetail,
    )

log = logging.getLogger(__name__)

Send = Callable[["Call[Any]"], Any]
L = TypeVar("L")

CONFIRM_AGE = 60.0
"""Seconds; before a value is refused, older lists are queried again, since the farm may have got it since."""
ZONES = (1, 2)
"""China and the rest of the world."""
_OWN_PROJECTS, _ALL_PROJECTS = 0, 2
_NO_RESPONSE = "the farm did not respond"


def zone_of(zone: int | None, domain: str) -> int:
    """Return an account's zone, by its domain if its profile has none."""
    return zone if zone in ZONES else (1 if "renderbus" in domain else 2)


class QueriedLists:
    """The lists of an account: see :class:`.checks.FarmLists`.

    :param send: sends a call to the farm.
    :param zone: the account's zone, one of :data:`ZONES`.
    :param cache: keeps the lists for other renders; None to query them for this one only.
    :param clock: gives the time.
    """

    def __init__(self, send: Send, zone: int, cache: ListCache | None, clock: Clock) -> None:
        self._send, self._zone, self._cache, self._clock = send, zone, cache, clock
        self._lists: dict[str, CachedList] = {}
        self._cached: dict[str, CachedList] | None = None
        self._max_age = MAX_AGE
        self._is_silent = False

    def software(self) -> Listing[ListedSoftware]:
        """Return the software that the farm renders with."""
        return self._listing(calls.query_software_list(), listings.read_software)

    def software_detail(self, cg_id: int, system: str) -> SoftwareDetail:
        """Return the versions and plug-ins of a software on "windows" or "linux"."""
        data, gap = self._get(calls.query_software_detail(cg_id, system))
        if gap:
            return listings.SoftwareDetail(listings.Listing((), gap), listings.Listing((), gap))
        return listings.read_software_detail(data)

    def platforms(self) -> Listing[ListedPlatform]:
        """Return the platforms of the account's zone."""
        return self._listing(calls.query_platforms(self._zone), listings.read_platforms)

    def all_platforms(self) -> Listing[ListedPlatform]:
        """Return the platforms of all zones; incomplete if the list of one zone is."""
        zones = [self._listing(calls.query_platforms(zone), listings.read_platforms) for zone in ZONES]
        return _joined(zones)

    def hardware(self) -> Listing[ListedHardware]:
        """Return the kinds of machines of all platforms."""
        return self._listing(calls.list_hardware_configs(), listings.read_hardware)

    def projects(self) -> Listing[str]:
        """Return the names of the account's projects."""
        return self._listing(calls.list_projects(_OWN_PROJECTS), listings.read_projects)

    def all_projects(self) -> Listing[str]:
        """Return the names of the projects of the account and of its main account."""
        return _joined(
            [
                self._listing(calls.list_projects(flag), listings.read_projects)
                for flag in (_OWN_PROJECTS, _ALL_PROJECTS)
            ]
        )

    def renew(self) -> bool:
        """Drop what is older than :data:`CONFIRM_AGE`, and return whether anything was."""
        self._max_age = CONFIRM_AGE
        now = self._clock.now()
        stale = [name for name, each in self._lists.items() if not each.is_fresh(now, CONFIRM_AGE)]
        for name in stale:
            del self._lists[name]
        return bool(stale)

    def _listing(self, call: Call[Any], read: Callable[[Any], Listing[L]]) -> Listing[L]:
        data, gap = self._get(call)
        return listings.Listing((), gap) if gap else read(data)

    def _get(self, call: Call[Any]) -> tuple[Any, str]:
        """Return the data of a call's response, and why there is none."""
        name = f"{call.name} {json.dumps(call.body)}" if call.body else call.name
        if name not in self._lists:
            self._lists[name] = self._from_cache(name) or self._query(call, name)
        return self._lists[name].data, self._lists[name].error

    def _from_cache(self, name: str) -> CachedList | None:
        if self._cached is None:
            self._cached = self._cache.load() if self._cache else {}
        cached = self._cached.get(name)
        return cached if cached is not None and cached.is_fresh(self._clock.now(), self._max_age) else None

    def _query(self, call: Call[Any], name: str) -> CachedList:
        if self._cache is None:
            return self._ask(call)
        with self._cache.lock():
            self._cached = None  # another process may have queried it in the meantime
            cached = self._from_cache(name)
            if cached is None:
                cached = self._ask(call)
                self._cache.save({name: cached})
            return cached

    def _ask(self, call: Call[Any]) -> CachedList:
        error, data = _NO_RESPONSE, None
        if not self._is_silent:
            try:
                data, error = self._send(replace(call, read=raw_json)), ""
            except RenderbusError as refusal:
                # A farm that does not respond would delay each list in turn.
                self._is_silent = isinstance(refusal, TransportError)
                error = printable(str(refusal))
                log.debug("%s is not available for preflight: %s", call.name, error)
        return CachedList(self._clock.now(), data, error)


def _joined(parts: Iterable[Listing[L]]) -> Listing[L]:
    """Return several lists as one, which is empty only if all are, and incomplete if one is."""
    all_parts = list(parts)
    values = tuple(dict.fromkeys(value for part in all_parts for value in part.values))
    gaps = [part.gap for part in all_parts if part.gap and not (values and part.gap == listings.EMPTY)]
    return listings.Listing(values, next(iter(gaps), ""))
