"""Chooses the proxy for a host from the environment, by the conventions of curl, requests and httpx.

A client sends to one host only, so the proxy is chosen once. httpx chooses among rules for all hosts, and
refuses to start if one of them is a network of IPv6 addresses, even if it concerns another host.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_for(url: httpx.URL, proxies: Mapping[str, str]) -> httpx.Proxy | None:
    """Return the proxy for a URL, or None if requests go to its host directly.

    :param proxies: result of `urllib.request.getproxies_environment`: proxies by scheme, exceptions by "no".
    :raises ValueError: the proxy's URL is invalid. The error does not show it: it can hold a password.
    """
    name = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(name, "").strip()
    if not address or _is_excepted(url, proxies.get("no", "")):
        return None
    try:
        proxy = httpx.URL(address if "://" in address else f"http://{address}")
    except httpx.InvalidURL:
        proxy = httpx.URL()
    if proxy.scheme not in _SCHEMES or not proxy.host:
        raise ValueError(
            f"{name}_proxy: must be, in the environment, the URL of a proxy such as "
            f"http://proxy.example.com:3128, with one of the schemes {', '.join(_SCHEMES)}"
        )
    return httpx.Proxy(proxy)


def _is_excepted(url: httpx.URL, no_proxy: str) -> bool:
    """Return whether ``no_proxy`` names the host: a name, a domain, an address, a network, or ``*``."""
    return any(_matches(entry.strip().lower(), url) for entry in no_proxy.split(","))


def _matches(entry: str, url: httpx.URL) -> bool:
    host = url.host.lower()
    name, _, port = entry.rpartition(":")
    if name and port.isdigit() and (":" not in name or name.endswith("]")):
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
