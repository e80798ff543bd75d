"""Signs a request to the farm.

The signed headers and the body are flattened into one mapping of names to values, sorted by name as text,
and joined to a string that begins with the method, the domain and the path. The signature is the base64
form of its HMAC-SHA256 under the access key. Nothing in the string is escaped.

Source: the vendor's written document of 2020 and the requests of its released client 3.0.4.3.
"""

from __future__ import annotations

import base64
import functools
import hmac
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

SIGNED_HEADERS = ("accessId", "channel", "platform", "UTCTimestamp", "nonce", "version")
_CHUNK_CHARS = 65_536  # encoded at a time, so that no second copy of a large string is made
_SCALAR_TYPES = {str, int, float, bool, type(None)}


def string_to_sign(domain: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """Return the string that is signed for a request.

    :param domain: domain as in the URL, with the port if it has one.
    :param path: path of the call; begins with a slash.
    :param headers: headers of the request; those that the farm does not sign are ignored.
    :param body: JSON body before it is encoded. A field takes precedence over a header of its name.
    """
    fields: dict[str, Any] = {name: headers[name] for name in SIGNED_HEADERS if name in headers}
    fields.update(body)
    signed: dict[str, Any] = {}
    _flatten(fields, fields.values(), signed)
    # The parts are joined once, so that a string with a whole task.json in it is not copied repeatedly.
    parts = ["[POST]", domain, ":", path]
    for name in sorted(signed):
        parts += "&", name, "=", str(signed[name])
    return "".join(parts)


def signature(
    access_key: str, domain: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]
) -> str:
    """Return the value of the ``signature`` header of a request. See :func:`string_to_sign`."""
    text = string_to_sign(domain, path, headers, body)
    mac = hmac.new(access_key.encode(), digestmod="sha256")
    for start in range(0, len(text), _CHUNK_CHARS):
        mac.update(text[start : start + _CHUNK_CHARS].encode())
    return base64.b64encode(mac.digest()).decode("ascii")


def _flatten(names: Iterable[str], values: Collection[Any], flat: dict[str, Any]) -> None:
    """Add the leaves of named JSON values to `flat`: ``parent.field`` of an object, ``parent0`` of a list."""
    named = zip(names, values, strict=True)
    if _SCALAR_TYPES.issuperset(map(type, values)):
        flat.update(named)
        return
    for name, value in named:
        if isinstance(value, dict):
            _flatten([f"{name}.{key}" if name else key for key in value], value.values(), flat)
        elif isinstance(value, list):
            _flatten(_item_names(name, len(value)), value, flat)
        else:
            flat[name] = value


@functools.lru_cache(maxsize=16)
def _item_names(name: str, count: int) -> tuple[str, ...]:
    """Return the names of a list's items, which every query for many tasks repeats."""
    return tuple([f"{name}{index}" for index in range(count)])
