"""Chooses the proxy for a host from the environment, by the conventions of curl, requests and httpx.

A client sends to one host only, so the proxy is chosen once. httpx chooses among rules for all hosts, and
refuses to start if one of them is a network of IPv6 addresses, even if it concerns another host.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES = ("http", "https", "socks5", "socks5h")
_PORT = re.compile("[0-9]{1,5}")
_MAX_PORT = 65_535


def proxy_for(url: httpx.URL, proxies: Mapping[str, str]) -> httpx.Proxy | None:
    """Return the proxy for a URL, or None if requests go to its host directly.

    :param proxies: result of `urllib.request.getproxies_environment`: proxies by scheme, exceptions by "no".
    :raises ValueError: the proxy's URL is invalid. The error does not show it: it can hold a password.
    """
    name = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(name, "").strip()
    if not address or _is_excepted(url, proxies.get("no", "")):
        return None
    proxy = _parse_proxy(address if "://" in address else f"http://{address}")
    if proxy is None:
        raise ValueError(
            f"{name}_proxy: must be, in the environment, the URL of a proxy such as "
            f"http://proxy.example.com:3128, with one of the schemes {', '.join(_SCHEMES)}"
        )
    return proxy


def _parse_proxy(address: str) -> httpx.Proxy | None:
    """Return the proxy with a URL, or None if the URL is invalid."""
    try:
        url = httpx.URL(address)
        is_valid = url.scheme in _SCHEMES and url.host and (url.port is None or 0 < url.port <= _MAX_PORT)
        return httpx.Proxy(url) if is_valid else None
    except (httpx.InvalidURL, ValueError):  # the latter by characters that cannot be encoded
        return None


def _is_excepted(url: httpx.URL, no_proxy: str) -> bool:
    """Return whether ``no_proxy`` names the host: a name, a domain, an address, a network, or ``*``."""
    return any(_matches(entry.strip().lower(), url) for entry in no_proxy.split(","))


def _matches(entry: str, url: httpx.URL) -> bool:
    host = url.host.lower()
    name, _, port = entry.rpartition(":")
    if name and _PORT.fullmatch(port) and (":" not in name or name.endswith("]")):
        if int(port) != (url.port or {"https": 443}.get(url.scheme, 80)):
            return False
        entry = name
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        entry = entry.removeprefix("*").lstrip(".")
        return bool(entry) and (host == entry or host.endswith(f".{entry}"))
