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
       ├─ BillingError         an account form that billing needs is missing
       │  └─ InsufficientFunds the balance is too low
       ├─ SubmitUnderWay       a submit of this task is under way
       ├─ NothingToDo          the task is already as the call would make it
       ├─ NotReady             the task is busy with something else        a repeat can help
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
        info = code_info(self.call, self.code)
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


class InsufficientFunds(BillingError):
    """The balance is too low for the call; nothing was executed."""


class SubmitUnderWay(ApiError):
    """The farm denies a submit because one of the same task is under way: query the task's state."""


class NothingToDo(ApiError):
    """The task is already as the call would make it, or has nothing that the call applies to."""


class NotReady(ApiError):
    """The farm cannot execute the call yet, because the task is busy; the same call may succeed later."""

    retryable = True


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
_REGION = (
    "the account belongs to the other region; the connection's host is one of task.renderbus.com "
    "(China) and task.foxrenderfarm.com (elsewhere)"
)
_FAILED = "the call failed; the farm's message says why"
_FRAMES = "the frames cannot be parsed; correct the frames in task.json, e.g. 1-10[1]"
_EXPIRED = "the task has expired and can no longer be changed; create a new one"

# Sources: the vendor's public documents of 2026, its released client 3.0.4.3, and the public source of its
# desktop client, which is the only one to explain 300, 405, 406, 504 to 511, 520, 530, 595, 609, 627, 628,
# 700 to 773, 816 to 824, and those above 920 except 1000.
CODES: dict[int, CodeInfo] = {
    100: CodeInfo(ApiError, _FAILED),
    300: CodeInfo(ApiError, _FAILED),
    301: CodeInfo(ApiError, "the farm redirects the call, which a client must not follow by itself"),
    400: CodeInfo(BadRequest, "the request is malformed"),
    403: CodeInfo(AuthError, _RIGHT),
    404: CodeInfo(NotFound, "there is no such object on the farm"),
    405: CodeInfo(ApiError, _FAILED),
    406: CodeInfo(ApiError, _FAILED),
    500: CodeInfo(ServerError, "the farm failed; try again later"),
    503: CodeInfo(BadRequest, "a label or project of that name exists already"),
    504: CodeInfo(BadRequest, "a plug-in configuration of that name exists already"),
    507: CodeInfo(InsufficientFunds, "the balance is too low; top up the account"),
    508: CodeInfo(AuthError, "the account is not activated; activate it in the farm's web console"),
    510: CodeInfo(BadRequest, _FRAMES),
    511: CodeInfo(BadRequest, "too many frames; split the frames in task.json over several renders"),
    513: CodeInfo(ServerError, "the farm could not look up the user; try again later"),
    520: CodeInfo(NotFound, "there is no such analysis on the farm"),
    530: CodeInfo(BadRequest, "the scene has no such camera; correct the camera in task.json"),
    595: CodeInfo(BadRequest, _FRAMES),
    600: CodeInfo(BadRequest, "a parameter is not allowed"),
    601: CodeInfo(BadRequest, "a parameter is missing"),
    602: CodeInfo(AuthError, _KEY),
    603: CodeInfo(NonceUsed, "the farm took the request for a repeated one"),
    604: CodeInfo(ApiError, "a verification code is required; see the farm's web console"),
    605: CodeInfo(AuthError, _RIGHT),
    606: CodeInfo(ApiError, "a verification code is wrong; see the farm's web console"),
    607: CodeInfo(ApiError, "a verification code has expired; see the farm's web console"),
    608: CodeInfo(RegionError, _REGION),
    609: CodeInfo(BadRequest, "the platform is wrong; correct the connection's platform"),
    610: CodeInfo(ClockSkew, "the signature has expired; set this machine's clock"),
    611: CodeInfo(AuthError, _KEY),
    627: CodeInfo(RegionError, _REGION),
    628: CodeInfo(RegionError, _REGION),
    700: CodeInfo(NothingToDo, "there is nothing to do"),
    710: CodeInfo(NotReady, "the photon pass or the main pass has not finished yet; try again later"),
    718: CodeInfo(BadRequest, _EXPIRED),
    728: CodeInfo(BadRequest, _EXPIRED),
    740: CodeInfo(BadRequest, "task.json cannot be read; correct and upload it"),
    741: CodeInfo(BadRequest, "task.json is empty; upload it"),
    748: CodeInfo(
        NotReady, "frames are being copied out, so the task cannot be stopped yet; try again later"
    ),
    749: CodeInfo(SubmitUnderWay, "the task is being submitted already; query its state"),
    750: CodeInfo(BadRequest, "test frames are not allowed; remove the test frames from task.json"),
    753: CodeInfo(
        BadRequest, "the configuration of the transfer engine is incomplete; ask the farm's support"
    ),
    756: CodeInfo(BadRequest, "the submit is not allowed; the farm's message or its support says why"),
    760: CodeInfo(BadRequest, "the task does not qualify for a voucher"),
    773: CodeInfo(BadRequest, "the task has no hardware configuration; select the hardware"),
    **dict.fromkeys(range(816, 822), CodeInfo(AuthError, _ACCOUNT)),
    822: CodeInfo(AuthError, "the account is disabled; ask the farm's support"),
    823: CodeInfo(AuthError, _ACCOUNT),
    824: CodeInfo(AuthError, "the account must be verified; verify it in the farm's web console"),
    **dict.fromkeys((*range(921, 934), 935, 936), CodeInfo(BillingError, _BILLING)),
    934: CodeInfo(ServerError, "the farm could not reach its own task service; try again later"),
    937: CodeInfo(NotFound, "there is no such task on the farm"),
    999: CodeInfo(BadRequest, "the file format is wrong; upload the files again"),
    1022: CodeInfo(
        BadRequest, "the tasks have different hardware configurations; change them in separate requests"
    ),
    1206: CodeInfo(AuthError, "the identity is not proved; prove it in the farm's web console"),
    1000: CodeInfo(ServerError, "the farm's cache failed; try again later"),
    **dict.fromkeys(range(800, 816), CodeInfo(AuthError, _ACCOUNT)),
    **dict.fromkeys(range(900, 921), CodeInfo(BillingError, _BILLING)),
}


# Codes that mean something else at a call. There is nothing to look up for a task that does not exist yet.
CODES_BY_CALL: dict[tuple[str, int], CodeInfo] = {
    ("create_task", 513): CodeInfo(BadRequest, "the user is unknown; check the connection's access id"),
}


def is_permanent(error: RenderbusError) -> bool:
    """Return whether the farm refused a call for a reason that will be the same next time.

    Only a permanent error ends a wait or fails a task without retries. A response that did not come, cannot
    be read or has an unknown code, a clock that is wrong and a nonce that was used do not: a failed poll is
    not a failed render.
    """
    return isinstance(error, AuthError | RegionError | BadRequest | NotFound | BillingError)


def may_send_again(error: RenderbusError) -> bool:
    """Return whether a call that costs money may be sent again once the farm shows that it was not executed.

    Not after any other refusal: sent again, it would be refused in the same way, or the process was suspended
    for so long (code 610) that another process may have taken over.
    """
    return error.retryable or isinstance(error, InvalidResponse)


NO_MORE_RECORDS = 700
SUCCESS = 200


def code_info(call: str, code: int) -> CodeInfo | None:
    """Return what a code of the farm means at a call, or None if it is unknown."""
    return CODES_BY_CALL.get((call, code)) or CODES.get(code)


def api_error(call: str, code: int, message: str, server_time: float | None = None) -> ApiError:
    """Return the error for a code of the farm; an unknown code is a plain `ApiError`."""
    info = code_info(call, code)
    return (info.error if info else ApiError)(call, code, message, server_time)
