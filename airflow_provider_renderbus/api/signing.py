"""How a request to the farm is signed.

The signed headers and the body are flattened into one mapping of names to values, sorted by name as text,
and joined to a message that begins with the method, the domain and the path. The signature is the base64
form of its HMAC-SHA256 under the access key. Nothing in the message is escaped.

Source: the vendor's written document of 2020 and the requests of its released client 3.0.4.3.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIGNED_HEADERS = ("accessId", "channel", "platform", "UTCTimestamp", "nonce", "version")


def message(domain: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """Return the text that is signed for a request.

    :param domain: the domain as it stands in the URL, with its port where it has one.
    :param path: the path of the call, beginning with a slash.
    :param headers: the request's headers; those that the farm does not sign are passed over.
    :param body: the request's JSON body before it is encoded. A field wins over a header of its name.
    """
    signed = {name: headers[name] for name in SIGNED_HEADERS if name in headers}
    signed.update(_flat("", body))
    return f"[POST]{domain}:{path}&" + "&".join([f"{name}={signed[name]}" for name in sorted(signed)])


def signature(
    access_key: str, domain: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]
) -> str:
    """Return the value of the ``signature`` header of a request.

    :param access_key: the account's secret key.
    :param domain: see :func:`message`, as for the other parameters.
    """
    signed = message(domain, path, headers, body)
    digest = hmac.digest(access_key.encode(), signed.encode(), "sha256")
    return base64.b64encode(digest).decode("ascii")


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a JSON value: ``parent.field`` in an object, ``parent0`` in a list."""
    if isinstance(value, dict):
        prefix = f"{name}." if name else ""
        for key, item in value.items():
            yield from _flat(f"{prefix}{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(f"{name}{index}", item)
    else:
        yield name, value
