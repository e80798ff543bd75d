"""What a client must know to reach a farm."""

from __future__ import annotations

import functools
import re
import ssl
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx

from airflow_provider_renderbus.api.platforms import parse_platform

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOCOLS = ("https", "http")
_FOR_EVER = 86_400.0
_LAST_PORT = 65_535
_WORD = re.compile(r"[!-~]+")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Which farm to talk to, as whom, and how patiently.

    The access key is in no text of this object, and the object cannot be pickled.

    :param domain: the farm's domain, with its port where it has one.
    :param access_id: the account's access id.
    :param access_key: the account's secret key.
    :param platform: number or short name of the render platform, e.g. 2 or "W2".
    :param protocol: "https", or "http" for a farm on this machine.
    :param connect_timeout: seconds until a connection must stand.
    :param read_timeout: seconds that the farm may stay silent.
    :param verify: whether TLS certificates are checked.
    :param ca_bundle: path of a file with the authorities to trust in place of the usual ones.
    :param called: what the caller calls fields, by their names here, for errors.
    :raises ValueError: fields are not what they must be; all of them are named at once.
    """

    domain: str
    access_id: str
    access_key: str = field(repr=False)
    platform: int | str = 2
    protocol: str = "https"
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    verify: bool = True
    ca_bundle: str | None = None
    display_names: InitVar[Mapping[str, str] | None] = None

    def __post_init__(self, called: Mapping[str, str] | None) -> None:
        called = called or {}
        problems = [
            f"{called.get(name, name)}: a text of ASCII signs without blanks is wanted"
            for name in ("access_id", "access_key")
            if not _is_word(getattr(self, name))
        ]
        if not _is_domain(self.domain):
            name = called.get("domain", "domain")
            problems.append(f"{name}: a bare domain, task.renderbus.com, is wanted, not {self.domain!r}")
        if self.protocol not in PROTOCOLS:
            problems.append(f"protocol: 'https' or 'http' is wanted, not {self.protocol!r}")
        for name in ("connect_timeout", "read_timeout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _FOR_EVER:
                problems.append(f"{name}: a positive number of seconds is wanted, not {value!r}")
        if self.verify not in (True, False):
            problems.append(f"verify: true or false is wanted, not {self.verify!r}")
        if self.ca_bundle is not None and not Path(self.ca_bundle).is_file():
            problems.append(f"ca_bundle: there is no file {self.ca_bundle!r}")
        try:
            object.__setattr__(self, "platform", parse_platform("platform", self.platform))
        except ValueError as problem:
            problems.append(str(problem))
        if problems:
            raise ValueError("; ".join(problems))

    def __reduce__(self) -> NoReturn:
        raise TypeError("Settings hold the access key and cannot be pickled; hand on the connection's id")

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return how TLS is verified, in the form that httpx takes.

        The first call for a set of authorities reads their file, which takes some 20 ms.

        :raises ValueError: the file cannot be read, or holds no authorities.
        """
        if self.protocol == "http" or not self.verify:
            return False
        return _tls_context(self.ca_bundle)


@functools.cache
def _tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    if ca_bundle is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as problem:  # ssl.SSLError is one
        raise ValueError(f"ca_bundle: {ca_bundle} holds no authorities in PEM form: {problem}") from None


def _is_domain(value: object) -> bool:
    match = _DOMAIN.fullmatch(value) if isinstance(value, str) else None
    return match is not None and (match[1] is None or 0 < int(match[1]) <= _LAST_PORT)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None
