"""Everything that can go wrong between this provider and the farm.

::

    RenderbusError
    ├─ TransportError          the farm's answer never arrived             a repeat can help
    │  ├─ NotSent              nothing reached the farm: always safe to repeat
    │  └─ NoAnswer             the farm may have carried the call out
    ├─ BadAnswer               not the envelope the farm promises
    │  └─ NotServed            the farm does not serve the call at this path
    └─ ApiError(code)          the farm answered: no
       ├─ AuthError            wrong id, key or rights; unknown or disabled account
       ├─ RegionError          the account belongs to the other region
       ├─ ClockSkew            the signature has expired: the clocks differ
       ├─ NonceUsed            the farm has seen this request's nonce
       ├─ BadRequest           wrong or missing parameters
       ├─ NotFound             no such thing
       │  └─ UnknownTask       no such task in an answer about tasks
       ├─ BillingError         no money, or an account form that is missing
       └─ ServerError          the farm failed                             a repeat can help

``retryable`` on the class says whether sending the call again can help; whether that is safe is the
call's own matter (:attr:`airflow_provider_renderbus.api.call.Call.replay_safe`). Every error can be
pickled, and none holds a key, a signature or a header.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class RenderbusError(Exception):
    """The root of all errors of the farm and of the way to it."""

    retryable: ClassVar[bool] = False


class TransportError(RenderbusError):
    """The farm's answer to a call never arrived.

    :param call: name of the call.
    :param detail: what went wrong.
    :param retry_after: seconds that the other side asked to wait before the next try, if it did.
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
    """The call was sent, or may have been, and the farm may have carried it out."""


class InvalidResponse(RenderbusError):
    """What came back is not the envelope that the farm promises.

    :param call: name of the call.
    :param detail: what is wrong with the answer.
    """

    def __init__(self, call: str, detail: str) -> None:
        super().__init__(call, detail)
        self.call = call
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.call}: the answer cannot be read: {self.detail}"


class EndpointNotFound(InvalidResponse):
    """The farm does not serve the call at the path that was tried: HTTP 404 without an envelope."""


class ApiError(RenderbusError):
    """The farm answered with a code other than 200.

    :param call: name of the call.
    :param code: the farm's code; :data:`CODES` holds those that are known.
    :param message: the farm's own message, in the account's language.
    :param server_time: the farm's clock when it answered, in seconds since 1970, where it told.
    """

    def __init__(self, call: str, code: int, message: str, server_time: float | None = None) -> None:
        super().__init__(call, code, message, server_time)
        self.call = call
        self.code = code
        self.message = message
        self.server_time = server_time

    def __str__(self) -> str:
        known = CODES.get(self.code)
        told = f"{self.call}: the farm answered {self.code}"
        if self.message:
            told += f" ({self.message})"
        if known is None:
            return f"{told}: a code that this provider does not know."
        return f"{told}: {known.meaning}."


class AuthError(ApiError):
    """The access id, the key or the account's rights do not allow the call."""


class RegionError(ApiError):
    """The account belongs to the farm's other region."""


class ClockSkew(ApiError):
    """The signature has expired: this machine's clock and the farm's differ."""


class NonceUsed(ApiError):
    """The farm has already seen a request with this nonce and timestamp."""


class BadRequest(ApiError):
    """A parameter is wrong or missing."""


class NotFound(ApiError):
    """The farm knows no such thing."""


class UnknownTask(NotFound):
    """An answer about tasks does not hold one that was asked for.

    :param task_id: the task's number.
    """

    def __init__(self, task_id: int) -> None:
        super().__init__("query_task_info", 404, f"task {task_id}")
        self.task_id = task_id

    def __str__(self) -> str:
        return f"{self.call}: the farm's answer holds no task {self.task_id}"

    def __reduce__(self) -> tuple[type[UnknownTask], tuple[int]]:
        return UnknownTask, (self.task_id,)


class BillingError(ApiError):
    """Money is missing, or a form of the account that billing needs."""


class ServerError(ApiError):
    """The farm failed; it may work a moment later."""

    retryable = True


class CodeInfo(NamedTuple):
    """What a code of the farm means, and the error that it becomes."""

    error: type[ApiError]
    meaning: str


_KEY = "the access id or the key is wrong; both are shown at https://<the connection's host>/user/developer"
_RIGHT = "the account has no right to do this; ask the owner of the main account"
_ACCOUNT = "the account is unknown, disabled or may not be used from this address"
_BILLING = "the account lacks money or a form that billing needs; see the farm's web console"

# Source: the vendor's public documents of 2026 and its released client 3.0.4.3.
CODES: dict[int, CodeInfo] = {
    100: CodeInfo(ApiError, "the call failed; the farm's message says why"),
    301: CodeInfo(ApiError, "the farm asks to go elsewhere, which a client must not do by itself"),
    400: CodeInfo(BadRequest, "the request is malformed"),
    403: CodeInfo(AuthError, _RIGHT),
    404: CodeInfo(NotFound, "there is no such thing on the farm"),
    500: CodeInfo(ServerError, "the farm failed; try again later"),
    503: CodeInfo(BadRequest, "a label or project of that name exists already"),
    513: CodeInfo(ServerError, "the farm could not look up the user; try again later"),
    600: CodeInfo(BadRequest, "a parameter is not allowed"),
    601: CodeInfo(BadRequest, "a parameter is missing"),
    602: CodeInfo(AuthError, _KEY),
    603: CodeInfo(NonceUsed, "the farm took the request for a repeated one"),
    604: CodeInfo(ApiError, "a verification code is wanted; see the farm's web console"),
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
    """Tell whether an error is a refusal of the farm that will be the same next time.

    Only such a one ends a wait, or fails a task without retries. An answer that did not come, cannot be read
    or says nothing that is known, a clock that is wrong, a nonce that was seen: not to know is not to have
    failed.
    """
    return isinstance(error, AuthError | RegionError | BadRequest | NotFound | BillingError)


NO_MORE_RECORDS = 700
SUCCESS = 200


def api_error(call: str, code: int, message: str, server_time: float | None = None) -> ApiError:
    """Return the error that stands for a code of the farm; an unknown code is a plain `ApiError`."""
    known = CODES.get(code)
    return (known.error if known else ApiError)(call, code, message, server_time)
