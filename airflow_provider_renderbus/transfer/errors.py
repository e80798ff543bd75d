"""Everything that can go wrong with a transfer.

::

    TransferError
    ├─ Unusable          the command is not there or cannot be run, the account has no storage or line
    ├─ Refused           files that cannot be sent, or names that may not be written
    ├─ Failed            the command ended and says that another try is useless
    │  └─ NeverSent      it names files that can never be sent
    ├─ Stopped           the transfer was told to stop             another try goes on from there
    └─ Unfinished        some of it is left                            another try goes on from there
       └─ Silent         nothing moved for too long

``retryable`` says whether another try can help.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_renderbus.api.errors import RenderbusError

if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_LISTED = 20
_LONGEST = 300


class TransferError(RenderbusError):
    """The root of what goes wrong with a transfer."""


class TransferSetupError(TransferError):
    """The transfer command cannot be run, or there is nowhere to send to."""


class InvalidFiles(TransferError):
    """Files that cannot be sent as they are, or names that may not be written."""


class TransferFailed(TransferError):
    """The command ended with an exit code that another try would meet too."""


class PermanentTransferFailure(TransferFailed):
    """The command names files that can never be sent."""


class TransferCancelled(TransferError):
    """The transfer was told to stop, which a kill of the Airflow task does; another try goes on."""

    retryable: ClassVar[bool] = True


class TransferIncomplete(TransferError):
    """Some of the files are left; another try goes on where this one ended."""

    retryable: ClassVar[bool] = True


class TransferStalled(TransferIncomplete):
    """Nothing moved for longer than is allowed, so the command was ended."""


def join_limited(things: Sequence[str]) -> str:
    """Return things for a message on one line: only the first where there are many."""
    text = "; ".join(one_line(thing) for thing in things[:MAX_LISTED])
    return f"{text} and {len(things) - MAX_LISTED:,} more" if len(things) > MAX_LISTED else text


def one_line(text: str) -> str:
    """Return a text without line breaks and other control characters, its beginning where it is long."""
    written = CONTROL_CHARACTERS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}…"


_NOT_ONE_LINE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
CONTROL_CHARACTERS = re.compile(f"[{_NOT_ONE_LINE}]")
"""What breaks a line of output: control characters, line and paragraph ends, halves of characters."""
FORBIDDEN_CHARACTERS = re.compile(rf"[{_NOT_ONE_LINE}\\]")
"""That, and the backslash, which is a slash on some machines."""
