"""Checks the variables of the environment that the asynchronous client takes otherwise than the blocking one.

requests accepts IPv6 addresses in NO_PROXY, and SOCKS proxies with PySocks; httpx refuses the first, and
needs socksio for the second. A worker would submit a render then, and its trigger could not watch it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from airflow_provider_renderbus.clients.settings import Settings

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def check_environment(settings: Settings) -> None:
    """Check that an asynchronous client can be created, without sending anything.

    :param settings: settings of the client.
    :raises ValueError: it cannot; the error names the variable and the cure, and not its value, which may
        hold a password.
    """
    verify = settings.ssl_context()
    try:
        # A client that was never used holds no connection, so there is nothing to close.
        httpx.AsyncClient(verify=verify)
    except Exception as error:  # noqa: BLE001 - httpx raises InvalidURL, ImportError, ValueError and others
        problem = _explain(error)
        raise ValueError(
            f"{problem}; nothing was submitted, because the triggerer could not wait for the render"
        ) from None


def _explain(error: Exception) -> str:
    variables = {name.lower(): name for name, value in os.environ.items() if value}
    for lower in _PROXIES:
        name = variables.get(lower)
        if name is None:
            continue
        try:
            httpx.AsyncHTTPTransport(proxy=_with_scheme(os.environ[name]), verify=False)
        except ImportError:
            return f"{name}: must be no SOCKS proxy unless socksio is installed: pip install 'httpx[socks]'"
        except Exception as cause:  # noqa: BLE001 - as above
            return f"{name}: must be the URL of a proxy that httpx accepts ({type(cause).__name__})"
    name = variables.get("no_proxy")
    if name is not None:
        return (
            f"{name}: must be hosts and IPv4 addresses that httpx accepts, got {os.environ[name]!r}: "
            f"remove IPv6 addresses in brackets and IPv6 networks"
        )
    return f"The asynchronous client cannot be created ({type(error).__name__}: {error})"


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"
