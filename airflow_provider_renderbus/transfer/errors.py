"""The exceptions of a transfer.

::

    TransferError
    ├─ TransferSetupError            the command cannot be run, or the account has no storage or line
    ├─ InvalidFiles                  files that cannot be uploaded, or names that must not be written
    ├─ TransferFailed                the command failed with an exit code that a retry would get too
    │  └─ PermanentTransferFailure   the command names files that can never be transferred
    ├─ TransferCancelled             the transfer was cancelled                            retryable
    └─ TransferIncomplete            some files are not transferred                        retryable
       └─ TransferStalled            no progress for too long                              retryable

A retry of a retryable transfer continues where it ended.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_renderbus.api.errors import RenderbusError

if TYPE_CHECKING:
    from collections.abc import Sequence

FORBIDDEN_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\]")
"""Characters that a transferred file cannot have in its name: those that break a line of output (control
characters, line and paragraph separators, surrogates), and the backslash, which separates folders on some
systems."""


class TransferError(RenderbusError):
    """Base class of all errors of a transfer."""


class TransferSetupError(TransferError):
    """The transfer command cannot be run, or the account has no storage or line."""


class InvalidFiles(TransferError):
    """Files that cannot be uploaded, or names that must not be written."""


class TransferFailed(TransferError):
    """The command failed with an exit code that a retry would get too."""


class PermanentTransferFailure(TransferFailed):
    """The command names files that can never be transferred."""


class TransferCancelled(TransferError):
    """The transfer was cancelled, e.g. because the Airflow task was killed. A retry continues."""

    retryable: ClassVar[bool] = True


class TransferIncomplete(TransferError):
    """Some files are not transferred. A retry continues where this transfer ended."""

    retryable: ClassVar[bool] = True


class TransferStalled(TransferIncomplete):
    """There was no progress for longer than the stall timeout, so the command was killed."""


def raise_all(errors: Sequence[TransferError]) -> None:
    """Raise one error with the messages of all, if there are any; a retryable one if a retry may help."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        error_type = TransferIncomplete if any(error.retryable for error in errors) else InvalidFiles
        raise error_type("; ".join(map(str, errors))) from errors[0]
