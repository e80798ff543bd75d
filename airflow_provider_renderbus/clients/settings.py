"""Settings of a client: the farm, the account and the timeouts."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import httpx

from airflow_provider_renderbus.api.platforms import parse_platform
from airflow_provider_renderbus.api.validation import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROTOCOLS = ("https", "http")
CONSOLE_URL_PLACEHOLDER = "{render_task_id}"
MIN_TIMEOUT, MAX_TIMEOUT = 0.01, 86_400.0
_MAX_PORT = 65_535
_PRINTABLE = re.compile(r"[!-~]+")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_HOST_CHARS = 253
_DOMAIN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\\%\s]+)(?::([0-9]{1,5}))?")
# Variables with a file or folder of certificate authorities, by curl's and requests' conventions. httpx reads
# SSL_CERT_FILE and SSL_CERT_DIR itself.
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a client.

    The access key is in no repr of this object, and the object cannot be pickled. The domain is kept as HTTP
    sends it, because it is part of what is signed: in lower case, without the protocol's own port and without
    a dot at its end; names in other scripts in their ASCII form.

    :param domain: domain of the farm, with the port if it is not the default one.
    :param access_id: access id of the account.
    :param access_key: secret key of the account.
    :param platform: id or short name of the render platform, e.g. 2 or "W2".
    :param protocol: "https", or "http" for a farm on this machine.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for data of a response.
    :param verify: whether TLS certificates are verified.
    :param ca_bundle: path of a file with the certificate authorities to trust instead of the default ones.
    :param console_url_template: URL of a render in the farm's web console, with a placeholder for its id;
        None for the entry page, since the live farm documents no other.
    :param display_names: names of fields in error messages, by their names here.
    :param owner: what holds the settings, for error messages, e.g. "connection 'renderbus_default'".
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
    console_url_template: str | None = field(default=None, repr=False, compare=False)
    display_names: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    owner: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))
        # Valid: the fields in the form in which they are sent.
        object.__setattr__(self, "domain", normalize_domain(self.domain, self.protocol))
        object.__setattr__(self, "platform", parse_platform("platform", self.platform))

    def _problems(self) -> Iterator[str]:
        for name in ("access_id", "access_key"):
            if not _is_printable_ascii(getattr(self, name)):
                yield f"{self._display_name(name)}: must be printable ASCII characters without spaces"
        if normalize_domain(self.domain, "https") is None:
            yield (
                f"{self._display_name('domain')}: must be a domain such as task.renderbus.com, "
                f"with its port if need be, got {excerpt(self.domain)}"
            )
        if self.protocol not in PROTOCOLS:
            name = self._display_name("protocol")
            yield f"{name}: must be 'https' or 'http', got {excerpt(self.protocol)}"
        checks: dict[str, Callable[[str, Any], object]] = {
            "connect_timeout": _check_timeout,
            "read_timeout": _check_timeout,
            "verify": _check_bool,
            "ca_bundle": _check_ca_bundle,
            "platform": parse_platform,
        }
        for name, check in checks.items():
            try:
                check(name, getattr(self, name))
            except ValueError as error:
                yield str(error)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "Settings hold the access key and cannot be pickled; pass the connection's id instead"
        )

    def url(self, path: str) -> str:
        """Return the URL of a path on the farm."""
        return f"{self.protocol}://{self.domain}{path}"

    def console_url(self, render_task_id: int) -> str:
        """Return the URL of a render in the farm's web console."""
        template = self.console_url_template
        return template.replace(CONSOLE_URL_PLACEHOLDER, str(render_task_id)) if template else self.url("/")

    def field_name(self, name: str) -> str:
        """Return what a message calls a field: its name in the form, and what holds the settings."""
        return f"{self._display_name(name)} of {self.owner}" if self.owner else self._display_name(name)

    def ssl_context(self) -> ssl.SSLContext | bool:
        """Return how TLS certificates are verified, in the form of httpx.

        The first call for a set of authorities loads their file, which takes some 20 ms.

        :raises ValueError: the file cannot be loaded, or holds no authorities.
        """
        if self.protocol == "http" or not self.verify:
            return False
        if self.ca_bundle is not None:
            return _load_authorities(self.ca_bundle)
        for variable in _CA_VARIABLES:
            if os.environ.get(variable):
                return _load_authorities(os.environ[variable], variable)
        return _default_authorities(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    def _display_name(self, name: str) -> str:
        return self.display_names.get(name, name)


def normalize_domain(domain: Any, protocol: str) -> str | None:
    """Return a domain as HTTP sends it in the ``Host`` header, or None if it is invalid.

    :param domain: domain, with a port or without.
    :param protocol: "https" or "http"; its own port is omitted.
    """
    match = _DOMAIN.fullmatch(domain) if isinstance(domain, str) else None
    if match is None or (match[2] is not None and not 0 < int(match[2]) <= _MAX_PORT):
        return None
    host = match[1].removesuffix(".")
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
        url = httpx.URL(f"{protocol}://{host}{f':{match[2]}' if match[2] else ''}")
        _ = url.host  # fails for a label that begins with xn-- and is none
    except (ValueError, httpx.InvalidURL):
        return None
    sent = url.raw_host.decode("ascii")
    if not host.startswith("[") and (len(sent) > _MAX_HOST_CHARS or not _HOST.fullmatch(sent)):
        return None
    return url.netloc.decode("ascii")


def _load_authorities(path: Any, name: str = "ca_bundle") -> ssl.SSLContext:
    try:
        # A pipe or a device could be read without end.
        is_readable = isinstance(path, str) and path != "" and (Path(path).is_file() or Path(path).is_dir())
    except OSError:  # a name that is too long
        is_readable = False
    if not is_readable:
        raise ValueError(f"{name}: must be the path of a file, got {excerpt(path)}")
    try:
        return _read_authorities(path)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(
            f"{name}: must be a file of certificate authorities in PEM format, got {excerpt(path)}: {error}"
        ) from None


@functools.cache
def _read_authorities(path: str) -> ssl.SSLContext:
    # A folder of certificates is valid too, as for requests and curl; its files are read when needed.
    is_folder = Path(path).is_dir()
    return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)


@functools.cache
def _default_authorities(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Return the authorities that httpx trusts under these values of its environment variables."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise ValueError(
            "SSL_CERT_FILE and SSL_CERT_DIR: must be paths of certificate authorities in PEM format, "
            f"got {excerpt(file)} and {excerpt(folder)}: {error}"
        ) from None


def _check_timeout(name: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not MIN_TIMEOUT <= value <= MAX_TIMEOUT:
        limits = f"from {MIN_TIMEOUT} to {MAX_TIMEOUT:.0f}"
        raise ValueError(f"{name}: must be a number of seconds {limits}, got {excerpt(value)}")


def _check_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name}: must be true or false, got {excerpt(value)}")


def _check_ca_bundle(name: str, value: Any) -> None:
    if value is not None:
        _load_authorities(value, name)


def _is_printable_ascii(value: object) -> bool:
    return isinstance(value, str) and _PRINTABLE.fullmatch(value) is not None
