"""Settings of a client: the farm, the account and the timeouts."""

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
_MAX_TIMEOUT = 86_400.0
_MAX_PORT = 65_535
_PRINTABLE = re.compile(r"[!-~]+")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a client.

    The access key is in no repr of this object, and the object cannot be pickled.

    :param domain: domain of the farm, with the port if it is not the default one.
    :param access_id: access id of the account.
    :param access_key: secret key of the account.
    :param platform: id or short name of the render platform, e.g. 2 or "W2".
    :param protocol: "https", or "http" for a farm on this machine.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for data of a response.
    :param verify: whether TLS certificates are verified.
    :param ca_bundle: path of a file with the certificate authorities to trust instead of the default ones.
    :param display_names: names of fields in error messages, by their names here.
    :raises ValueError: fields are invalid; the error names all of them.
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

    def __post_init__(self, display_names: Mapping[str, str] | None) -> None:
        names = display_names or {}
        problems = [
            f"{names.get(name, name)}: must be printable ASCII characters without spaces"
            for name in ("access_id", "access_key")
            if not _is_printable_ascii(getattr(self, name))
        ]
        if not _is_domain(self.domain):
            name = names.get("domain", "domain")
            problems.append(f"{name}: must be a domain such as task.renderbus.com, got {self.domain!r}")
        if self.protocol not in PROTOCOLS:
            problems.append(f"protocol: must be 'https' or 'http', got {self.protocol!r}")
        for name in ("connect_timeout", "read_timeout"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MAX_TIMEOUT:
                problems.append(f"{name}: must be a positive number of seconds, got {value!r}")
        if self.verify not in (True, False):
            problems.append(f"verify: must be true or false, got {self.verify!r}")
        if self.ca_bundle is not None and not Path(self.ca_bundle).is_file():
            problems.append(f"ca_bundle: must be the path of a file, got {self.ca_bundle!r}")
        try:
            object.__setattr__(self, "platform", parse_platform("platform", self.platform))
        except ValueError as error:
            problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Settings hold the access key and cannot be pickled; pass the connection's id instead"
        )

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return how TLS certificates are verified, in the form of httpx.

        The first call for a set of authorities loads their file, which takes some 20 ms.

        :raises ValueError: the file cannot be loaded, or holds no authorities.
        """
        if self.protocol == "http" or not self.verify:
            return False
        return _ssl_context(self.ca_bundle)


@functools.cache
def _ssl_context(ca_bundle: str | None) -> ssl.SSLContext:
    if ca_bundle is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(
            f"ca_bundle: must be a file of certificate authorities in PEM format, got {ca_bundle}: {error}"
        ) from None


def _is_domain(value: object) -> bool:
    match = _DOMAIN.fullmatch(value) if isinstance(value, str) else None
    return match is not None and (match[1] is None or 0 < int(match[1]) <= _MAX_PORT)


def _is_printable_ascii(value: object) -> bool:
    return isinstance(value, str) and _PRINTABLE.fullmatch(value) is not None
