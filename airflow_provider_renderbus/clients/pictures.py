"""Downloads a picture from the farm's domain by a plain GET, as the vendor's desktop client shows thumbnails.

Nothing is signed, and no cookie is sent. Redirects are followed within the domain only.
"""

from __future__ import annotations

import asyncio
import urllib.request
from typing import TYPE_CHECKING

import httpx

from airflow_provider_renderbus.clients.proxies import proxy_for
from airflow_provider_renderbus.clients.response_body import ResponseBody

if TYPE_CHECKING:
    from airflow_provider_renderbus.clients.settings import Settings

MAX_PICTURE_BYTES = 4 * 2**20
MAX_REDIRECTS = 3
_SECONDS = 15.0
_TYPES = ("image/jpeg", "image/png", "image/webp")
_HEADERS = {"Accept": ", ".join(_TYPES), "Accept-Encoding": "identity"}
_MAX_URL_CHARS = 2_000


class PictureError(Exception):
    """There is no such picture, or it is none that is accepted."""


class PictureTransport:
    """Sends GET requests to the farm's domain over the pooled connections of one event loop.

    :param settings: of a client of the farm.
    :raises ValueError: ``ca_bundle`` or the environment's proxy cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._origin = httpx.URL(settings.url("/"))
        proxy = proxy_for(self._origin, urllib.request.getproxies_environment())
        self._transport = httpx.AsyncHTTPTransport(
            verify=settings.ssl_context(), trust_env=False, proxy=proxy
        )
        timeout = httpx.Timeout(min(settings.read_timeout, _SECONDS), connect=settings.connect_timeout)
        self._extensions = {"timeout": timeout.as_dict()}

    async def close(self) -> None:
        """Close the pooled connections."""
        await self._transport.aclose()

    async def get(self, path: str) -> bytes:
        """Return a picture: JPEG, PNG or WebP according to its headers, at most 4 MiB, within 15 s.

        :param path: on the farm's domain, as `calls.load_frame_thumbnail` returns it; or a URL of it.
        :raises PictureError: it is on another domain, the farm did not respond, or it is none of these.
        """
        try:
            async with asyncio.timeout(_SECONDS):
                url = self._resolve(
                    self._origin, path if "://" in path else f"/{path.lstrip('/')}".replace("#", "%23")
                )
                for _ in range(MAX_REDIRECTS + 1):
                    result = await self._get(url)
                    if isinstance(result, bytes):
                        return result
                    url = self._resolve(url, result)
        except PictureError:
            raise
        except Exception as error:  # noqa: BLE001 - the HTTP library has exceptions of several kinds
            problem = f"no picture from {self._origin.netloc.decode()} ({type(error).__name__})"
        else:
            problem = f"more than {MAX_REDIRECTS} redirects"
        raise PictureError(problem)

    async def _get(self, url: httpx.URL) -> bytes | str:
        """Return a picture, or where it is."""
        request = httpx.Request("GET", url, headers=_HEADERS, extensions=self._extensions)
        response = await self._transport.handle_async_request(request)
        try:
            if response.has_redirect_location:
                return response.headers["Location"]
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if response.status_code != httpx.codes.OK or kind not in _TYPES:
                raise PictureError(
                    f"must be 200 and one of {_TYPES}, got {response.status_code}, {kind[:40]!r}"
                )
            body = ResponseBody(response.headers.get("Content-Encoding", ""), MAX_PICTURE_BYTES)
            async for chunk in response.aiter_raw():
                body.feed(chunk)
            return body.finish()
        finally:
            await response.aclose()

    def _resolve(self, base: httpx.URL, location: str) -> httpx.URL:
        """Return the URL of a path or redirect, which must be on the farm's domain."""
        if len(location) > _MAX_URL_CHARS:
            raise PictureError("its URL is too long")
        url = base.join(location)
        if (url.scheme, url.netloc, url.userinfo) != (self._origin.scheme, self._origin.netloc, b""):
            raise PictureError("it is on another domain")
        return url
