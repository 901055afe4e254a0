"""Every error Darkroom raises on purpose: one tree, with its HTTP status and business code.

Refusal      the caller can act: answered on the wire with `status`, `code`, `field`
 ├ BadParameter ─ AspectRatioRefused
 ├ Unauthenticated · PermissionDenied ─ AccountSuspended · ForeignForm · SignUpClosed
 ├ InsufficientCredits
 ├ UnknownModel · NotOffered
 ├ NotFound ─ TaskNotFound · BatchNotFound · FileNotFound · EndpointNotFound · DeliveryNotFound
 │            KeyNotFound · PaymentNotFound · NotSold · RouteNotFound · PageNotFound
 ├ TaskUnfinished · FileDeleted · LinkUsedUp
 ├ SignatureRefused · MethodNotAllowed
 ├ ContentRefused · InputRefused · WebhookRefused · IdempotencyConflict
 ├ BodyTooLarge · UploadTooLarge · UnsupportedMedia · UnsupportedFormat
 └ QueueFull · RateLimited · Unavailable
TaskError    a task ended badly: kept on the task, never an HTTP error
 ├ BadInput · ContentBlocked · BackendFailed · TimedOut · OutcomeUnknown    the first ends the task
 ├ BackendCrashed · OutOfMemory · Hindered        another attempt may end better
 ├ AttemptsExhausted · Canceled · DeadlinePassed
Fault        ours: logged whole, never shown
 ├ ConfigInvalid · DatabaseUnavailable · StatementRefused
 ├ DatabaseTooOld · DatabaseTooNew · DatabaseCorrupt
 └ HoldNotOpen · StripeFailed
AddressRefused · NoAnswer    from `outbound`, to who asked: each makes its own of them

The class docstring is the default message.
"""

from __future__ import annotations

import inspect
from typing import ClassVar, Literal

# refused: by the rules for addresses. malformed: what came is no whole answer of HTTP.
NoAnswerReason = Literal["refused", "connect", "tls", "timeout", "reset", "malformed"]


class DarkroomError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))

    @property
    def message(self) -> str:
        return str(self)


class Refusal(DarkroomError):
    """The request was refused."""

    status: ClassVar[int] = 400
    code: ClassVar[int] = 1002

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after_seconds: int | None = None,
        allow: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.field = field
        self.allow = allow
        self.retry_after_seconds = retry_after_seconds


class BadParameter(Refusal):
    """A parameter is missing or wrong."""


class AspectRatioRefused(BadParameter):
    """aspect ratio cannot be empty"""


class Unauthenticated(Refusal):
    """Authentication failed: Invalid API Key. Send it as "Authorization: Bearer sk-…"."""

    status = 401


class PermissionDenied(Refusal):
    """This API key may not do that."""

    status = 403
    code = 1009


class AccountSuspended(PermissionDenied):
    """This account is suspended. Its operator can say why and end it."""


class ForeignForm(PermissionDenied):
    """This form is too old, or does not come from this page. Load the page again and repeat it."""


class SignUpClosed(PermissionDenied):
    """Only its operator makes accounts at this server. Ask the operator for a link."""


class LinkUsedUp(Refusal):
    """This link was used already, or has run out. Ask for a new one."""

    status = 410
    code = 1003


class InsufficientCredits(Refusal):
    """The account has fewer credits than this request needs. Buy credits or ask for less."""

    status = 402
    code = 1011


class UnknownModel(Refusal):
    """The model is not in the catalogue. GET /v1/models lists the models."""

    code = 1006


class NotOffered(Refusal):
    """This server does not offer that."""

    code = 1006


class NotFound(Refusal):
    """There is no such thing, or it is another account's."""

    status = 404
    code = 1003


class TaskNotFound(NotFound):
    """task not exist: no task of this account has that id."""


class BatchNotFound(NotFound):
    """batch not exist: no tasks found under that id for this account."""


class FileNotFound(NotFound):
    """No file has that name."""


class FileDeleted(Refusal):
    """This file is gone: its owner has deleted it, or it was past its days."""

    status = 410
    code = 1003


class TaskUnfinished(Refusal):
    """The task has not ended. Cancel it first, then delete it."""

    status = 409


class EndpointNotFound(NotFound):
    """No webhook endpoint of this account has that id."""


class DeliveryNotFound(NotFound):
    """No webhook delivery of this account has that id."""


class PaymentNotFound(NotFound):
    """No payment of this account has that id."""


class KeyNotFound(NotFound):
    """No API key of this account has that id."""


class NotSold(NotFound):
    """This server sells no credits. Ask its operator for some."""


class SignatureRefused(Refusal):
    """The event's signature is wrong, or too old. Check the signing secret of the endpoint."""


class RouteNotFound(NotFound):
    """No such address. GET /openapi.json lists every route."""


class PageNotFound(NotFound):
    """There is no such page, or it is not yours to see."""


class MethodNotAllowed(Refusal):
    """This address does not take that method."""

    status = 405


class ContentRefused(Refusal):
    """The prompt was refused by the content policy (sensitive content)."""

    status = 422
    code = 2003


class InputRefused(Refusal):
    """image url error: the input address may not be fetched."""

    status = 422


class WebhookRefused(Refusal):
    """webhook_url error: the webhook address may not be called."""

    status = 422


class IdempotencyConflict(Refusal):
    """This Idempotency-Key belongs to another request. Send the same body again, or a new key."""

    status = 422
    code = 1012


class BodyTooLarge(Refusal):
    """The request body is larger than this server accepts."""

    status = 413
    code = 1014


class UploadTooLarge(Refusal):
    """The file is larger than this server accepts."""

    status = 413
    code = 1014


class UnsupportedMedia(Refusal):
    """The body must be JSON: send "Content-Type: application/json"."""

    status = 415


class UnsupportedFormat(Refusal):
    """only support jpg, jpeg, png, webp image type"""

    status = 415
    code = 2004


class QueueFull(Refusal):
    """queue full: too many tasks of this account wait. Try again when some of them have ended."""

    status = 503
    code = 1007


class RateLimited(Refusal):
    """rate limit: too many requests. Try again after the seconds of Retry-After."""

    status = 429
    code = 1001


class Unavailable(Refusal):
    """The server cannot answer right now. Try again shortly."""

    status = 503
    code = 5000


class TaskError(DarkroomError):
    """The task failed."""

    code: ClassVar[int] = 6004
    # What an attempt that ended so counts as, of which a task may have a few; None: it ends it.
    counts_as: ClassVar[Literal["crash", "strike"] | None] = None


class BadInput(TaskError):
    """An input of the task cannot be used."""

    code = 1002


class ContentBlocked(TaskError):
    """The service that makes the result refused what was asked for."""

    code = 2003


class BackendFailed(TaskError):
    """The model failed while it made the result."""


class BackendCrashed(TaskError):
    """The model's process ended without an answer."""

    code = 6001
    counts_as = "crash"


class OutOfMemory(TaskError):
    """The model ran out of memory. Ask for a smaller size."""

    code = 6007
    counts_as = "crash"


class Hindered(TaskError):
    """Something that has to do with the worker or the moment kept the task from being done."""

    code = 6001
    counts_as = "strike"

    def __init__(
        self, message: str | None = None, *, retry_after_seconds: float = 0.0, stays: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        # What was paid for is still to be had: no other backend may be asked instead.
        self.stays = stays


class OutcomeUnknown(TaskError):
    """Nobody can know whether the service took the request, so it is not sent a second time."""

    code = 6001


class TimedOut(TaskError):
    """The task took longer than its model may take."""


class AttemptsExhausted(TaskError):
    """The task was given up after its worker was lost too many times."""

    code = 6001


class Canceled(TaskError):
    """The task was canceled."""

    code = 6005


class DeadlinePassed(TaskError):
    """The task had not begun when its deadline passed."""

    code = 6006


class Fault(DarkroomError):
    """Something on the server's side is wrong."""


class ConfigInvalid(Fault):
    """A setting is wrong."""


class DatabaseUnavailable(Fault):
    """The database cannot be reached."""


class StatementRefused(Fault):
    """The database refused a statement."""


class DatabaseTooOld(Fault):
    """PostgreSQL is older than version 15."""


class DatabaseTooNew(Fault):
    """The database was made by a newer Darkroom. Start that version, or restore a backup."""


class DatabaseCorrupt(Fault):
    """A migration that this database has applied differs from the one shipped."""


class HoldNotOpen(Fault):
    """The hold is not open, or less is held than was asked."""


class StripeFailed(Fault):
    """Stripe did not answer, or not as it should."""


class AddressRefused(DarkroomError):
    """it may not be named"""


class NoAnswer(DarkroomError):
    """No answer came; `reason` says why in a word, and never which address is behind a name."""

    def __init__(self, reason: NoAnswerReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
