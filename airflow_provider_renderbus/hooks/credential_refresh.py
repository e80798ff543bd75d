"""What a refused access key comes to where the connection is looked up once more."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.api.errors import AuthError, RenderbusError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_renderbus.clients.settings import Settings

try:
    from airflow.sdk.exceptions import AirflowRuntimeError
except ImportError:  # Airflow 2
    CONNECTION_LOOKUP_ERRORS: tuple[type[Exception], ...] = (AirflowException,)
else:
    # What Airflow's API server cannot answer comes as the latter, which is no AirflowException.
    CONNECTION_LOOKUP_ERRORS = (AirflowException, AirflowRuntimeError)
"""What Airflow raises where it does not tell a connection."""

log = logging.getLogger(__name__)


class AccountChangedError(AuthError):
    """The farm refuses the key, and the connection names another account or platform by now."""

    def __str__(self) -> str:
        return (
            f"{super().__str__()} The connection was changed to another account or platform, which does not "
            f"know the tasks of this one; give each of them a connection of its own."
        )


class ConnectionLookupError(RenderbusError):
    """The farm refuses the key, and Airflow does not tell whether the connection was changed.

    :param problem: what Airflow says.
    """

    def __str__(self) -> str:
        return f"the farm refuses the access key, and the connection cannot be looked up: {self.args[0]}"


@contextlib.contextmanager
def connection_lookup(refusal: AuthError) -> Iterator[None]:
    """Look a connection up within the block, after its key was refused.

    :param refusal: what the farm answered.
    :raises AuthError: the refusal, where fields of the connection are wrong or missing.
    :raises NotLookedUp: Airflow does not tell the connection.
    """
    try:
        yield
    except CONNECTION_LOOKUP_ERRORS as problem:
        raise ConnectionLookupError(str(problem)) from None
    except ValueError as problem:
        log.warning("After the farm has refused the access key: %s", problem)
        raise refusal from None


def refreshed_settings(used: Settings, found: Settings, refusal: AuthError) -> Settings:
    """Return the settings to try again with.

    Only those of the same account on the same platform are taken: another one's tasks are others.

    :param used: those that were refused.
    :param found: those that the connection has now.
    :param refusal: what the farm answered.
    :raises AuthError: the refusal, where the connection is as it was; `OtherAccount` where it is another's.
    """
    if found == used:
        raise refusal
    if (found.access_id, found.platform) != (used.access_id, used.platform):
        raise AccountChangedError(*refusal.args)
    log.info("The farm refuses the access key; the connection was changed, and is used as it is now")
    return found
