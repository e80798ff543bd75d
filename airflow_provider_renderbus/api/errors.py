"""Errors of the farm's API and of the way to it.

::

    RenderbusError
    ├─ TransportError          the farm's response never arrived           a repeat can help
    │  ├─ NotSent              nothing reached the farm: always safe to repeat
    │  └─ NoResponse           the farm may have executed the call
    ├─ InvalidResponse         not the envelope that the farm documents
    │  └─ EndpointNotFound     the farm does not serve the call at this path
    └─ ApiError(code)          the farm responded with a code other than 200
       ├─ AuthError            wrong id, key or rights; unknown or disabled account
       ├─ RegionError          the account belongs to the other region
       ├─ ClockSkew            the signature has expired: the clocks differ
       ├─ NonceUsed            the farm has received this request's nonce before
       ├─ BadRequest           wrong or missing parameters
       ├─ NotFound             no such object
       │  └─ UnknownTask       a query for tasks does not return a task that was asked for
       ├─ BillingError         no money, or an account form that is missing
       └─ ServerError          the farm failed                             a repeat can help

``retryable`` on the class says whether sending the call again can help; whether it is safe depends on the
call (:attr:`airflow_provider_renderbus.api.call.Call.replay_safe`). Every error can be pickled, and none
holds a key, a signature or a header.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class RenderbusError(Exception):
    """Root of all errors of the farm's API and of the way to it."""

    retryable: ClassVar[bool] = False


class TransportError(RenderbusError):
    """The farm's response to a call never arrived.

    :param call: name of the call.
    :param detail: what failed.
    :param retry_after: seconds to wait before the next attempt, if the other side asked for it.
    """

    retryable = True

    def __init__(self, call: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(call, detail, retry_after)
        self.call = call
        self.detail = detail
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.call}: {self.detail}"


class NotSent(TransportError):
    """Nothing of the call reached the farm: repeating it is always safe."""


class NoResponse(TransportError):
    """The call was sent, or may have been, and the farm may have executed it."""


class InvalidResponse(RenderbusError):
    """The response is not the envelope that the farm documents.

    :param call: name of the call.
    :param detail: what is wrong with the response.
    """

    def __init__(self, call: str, detail: str) -> None:
        super().__init__(call, detail)
        self.call = call
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.call}: the response cannot be read: {self.detail}"


class EndpointNotFound(InvalidResponse):
    """The farm does not serve the call at the path that was tried: HTTP 404 without an envelope."""


class ApiError(RenderbusError):
    """The farm responded with a code other than 200.

    :param call: name of the call.
    :param code: the farm's code; :data:`CODES` lists the known ones.
    :param message: the farm's own message, in the account's language.
    :param server_time: the farm's clock when it responded, in seconds since 1970, if the response holds it.
    """

    def __init__(self, call: str, code: int, message: str, server_time: float | None = None) -> None:
        super().__init__(call, code, message, server_time)
        self.call = call
        self.code = code
        self.message = message
        self.server_time = server_time

    def __str__(self) -> str:
        info = CODES.get(self.code)
        message = f" ({self.message})" if self.message else ""
        meaning = info.meaning if info else "a code that is not documented"
        return f"{self.call}: the farm responded with code {self.code}{message}: {meaning}."


class AuthError(ApiError):
    """The access id, the key or the account's rights do not allow the call."""


class RegionError(ApiError):
    """The account belongs to the farm's other region."""


class ClockSkew(ApiError):
    """The signature has expired: this machine's clock and the farm's differ."""


class NonceUsed(ApiError):
    """The farm has already received a request with this nonce and timestamp."""


class BadRequest(ApiError):
    """A parameter is wrong or missing."""


class NotFound(ApiError):
    """There is no such object on the farm."""


class UnknownTask(NotFound):
    """A query for tasks does not return a task that was asked for.

    :param task_id: id of the task.
    """

    def __init__(self, task_id: int) -> None:
        super().__init__("query_task_info", 404, f"task {task_id}")
        self.task_id = task_id

    def __str__(self) -> str:
        return f"{self.call}: the farm's response holds no task {self.task_id}"

    def __reduce__(self) -> tuple[type[UnknownTask], tuple[int]]:
        return UnknownTask, (self.task_id,)


class BillingError(ApiError):
    """Money is missing, or a form of the account that billing needs."""


class ServerError(ApiError):
    """The farm failed; the same call may succeed later."""

    retryable = True


class CodeInfo(NamedTuple):
    """The error that stands for a code of the farm, and what the code means."""

    error: type[ApiError]
    meaning: str


_KEY = "the access id or the key is wrong; both are shown at https://<the connection's host>/user/developer"
_RIGHT = "the account has no right to do this; ask the owner of the main account"
_ACCOUNT = "the account is unknown, disabled or may not be used from this address"
_BILLING = "the account lacks money or a form that billing needs; see the farm's web console"

# Source: the vendor's public documents of 2026 and its released client 3.0.4.3.
CODES: dict[int, CodeInfo] = {
    100: CodeInfo(ApiError, "the call failed; the farm's message says why"),
    301: CodeInfo(ApiError, "the farm redirects the call, which a client must not follow by itself"),
    400: CodeInfo(BadRequest, "the request is malformed"),
    403: CodeInfo(AuthError, _RIGHT),
    404: CodeInfo(NotFound, "there is no such object on the farm"),
    500: CodeInfo(ServerError, "the farm failed; try again later"),
    503: CodeInfo(BadRequest, "a label or project of that name exists already"),
    513: CodeInfo(ServerError, "the farm could not look up the user; try again later"),
    600: CodeInfo(BadRequest, "a parameter is not allowed"),
    601: CodeInfo(BadRequest, "a parameter is missing"),
    602: CodeInfo(AuthError, _KEY),
    603: CodeInfo(NonceUsed, "the farm took the request for a repeated one"),
    604: CodeInfo(ApiError, "a verification code is required; see the farm's web console"),
    605: CodeInfo(AuthError, _RIGHT),
    606: CodeInfo(ApiError, "a verification code is wrong; see the farm's web console"),
    607: CodeInfo(ApiError, "a verification code has expired; see the farm's web console"),
    608: CodeInfo(
        RegionError,
        "the account belongs to the other region; the connection's host is one of task.renderbus.com "
        "(China) and task.foxrenderfarm.com (elsewhere)",
    ),
    610: CodeInfo(ClockSkew, "the signature has expired; set this machine's clock"),
    611: CodeInfo(AuthError, _KEY),
    1000: CodeInfo(ServerError, "the farm's cache failed; try again later"),
    **dict.fromkeys(range(800, 816), CodeInfo(AuthError, _ACCOUNT)),
    **dict.fromkeys(range(900, 921), CodeInfo(BillingError, _BILLING)),
}


def is_permanent(error: RenderbusError) -> bool:
    """Return whether the farm refused a call for a reason that will be the same next time.

    Only a permanent error ends a wait or fails a task without retries. A response that did not come, cannot
    be read or has an unknown code, a clock that is wrong and a nonce that was used do not: a failed poll is
    not a failed render.
    """
    return isinstance(error, AuthError | RegionError | BadRequest | NotFound | BillingError)


NO_MORE_RECORDS = 700
SUCCESS = 200


def api_error(call: str, code: int, message: str, server_time: float | None = None) -> ApiError:
    """Return the error for a code of the farm; an unknown code is a plain `ApiError`."""
    info = CODES.get(code)
    return (info.error if info else ApiError)(call, code, message, server_time)
