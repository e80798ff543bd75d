"""Decides what follows if the farm refuses the access key and the connection is looked up again."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from airflow_provider_renderbus.api.errors import AuthError, RenderbusError
from airflow_provider_renderbus.compat import AirflowException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.clients.settings import Settings

try:
    from airflow.sdk.exceptions import AirflowRuntimeError
except ImportError:  # Airflow 2
    CONNECTION_LOOKUP_ERRORS: tuple[type[Exception], ...] = (AirflowException,)
else:
    # Raised if Airflow's API server cannot respond. It is not an AirflowException.
    CONNECTION_LOOKUP_ERRORS = (AirflowException, AirflowRuntimeError)
"""What Airflow raises if the lookup of a connection fails."""

log = logging.getLogger(__name__)


class AccountChangedError(AuthError):
    """The farm refused the key, and the connection now belongs to another account or platform."""

    def __str__(self) -> str:
        return (
            f"{super().__str__()} The connection was changed to another account or platform, which does not "
            f"have the renders of this one; use one connection per account and platform."
        )


class ConnectionLookupError(RenderbusError):
    """The farm refused the key, and Airflow failed to look up the connection again."""

    def __str__(self) -> str:
        return f"the farm refuses the access key, and the connection cannot be looked up: {self.args[0]}"


@contextlib.contextmanager
def connection_lookup(auth_error: AuthError) -> Iterator[None]:
    """Translate the errors of a connection lookup, which runs within the block.

    :raises AuthError: `auth_error`, if fields of the connection are invalid or missing.
    :raises ConnectionLookupError: Airflow failed to look up the connection.
    """
    try:
        yield
    except CONNECTION_LOOKUP_ERRORS as error:
        raise ConnectionLookupError(str(error)) from None
    except ValueError as error:
        log.warning("After the farm has refused the access key: %s", error)
        raise auth_error from None


def refreshed_settings(old: Settings, new: Settings, auth_error: AuthError) -> Settings:
    """Return the settings for the next attempt, after the farm has refused the key of the old ones.

    Only settings of the same account on the same platform are accepted, because another one has other
    renders.

    :raises AuthError: `auth_error` if the connection has not changed; `AccountChangedError` if it now belongs
        to another account or platform.
    """
    if new == old:
        raise auth_error
    if (new.access_id, new.platform) != (old.access_id, old.platform):
        raise AccountChangedError(*auth_error.args)
    log.info("The farm refused the access key. The connection has changed: continuing with its new settings")
    return new
