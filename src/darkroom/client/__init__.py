"""The SDK: Darkroom from Python, in both colours."""

from darkroom.client.asynchronous import AsyncClient
from darkroom.client.blocking import Client
from darkroom.client.errors import (
    ApiError,
    AuthenticationFailed,
    BadRequest,
    ConnectionFailed,
    ContentRefused,
    DarkroomError,
    InsufficientCredits,
    NotFound,
    RateLimited,
    ServerError,
    TaskFailed,
    WaitTimeout,
    WebhookKeyUnusable,
    WebhookNotVerified,
)
from darkroom.client.kinds import KINDS
from darkroom.client.shapes import Deliveries, Heard, History, Submitted, Task

__all__ = [
    "KINDS",
    "ApiError",
    "AsyncClient",
    "AuthenticationFailed",
    "BadRequest",
    "Client",
    "ConnectionFailed",
    "ContentRefused",
    "DarkroomError",
    "Deliveries",
    "Heard",
    "History",
    "InsufficientCredits",
    "NotFound",
    "RateLimited",
    "ServerError",
    "Submitted",
    "Task",
    "TaskFailed",
    "WaitTimeout",
    "WebhookKeyUnusable",
    "WebhookNotVerified",
]
