"""Identify who sent a request, and how much of the service that caller may use."""

from dataclasses import dataclass
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

API_KEY_VARIABLE: Final = "MMPOSE_API_KEY"
"""Environment variable with the key that the client sends; not a setting of the service."""

URL_VARIABLE: Final = "MMPOSE_URL"
"""Environment variable with the address of the service for commands that call one."""


class Quota(BaseModel):
    """Limits of a caller; None is no limit.

    A video may begin while anything of the day is left, so the last one may exceed the quota.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    requests_a_minute: int | None = Field(None, ge=1, le=100_000)
    video_s_a_day: float | None = Field(None, gt=0, allow_inf_nan=False)
    frames_a_day: int | None = Field(None, ge=1)
    queued_jobs: int | None = Field(None, ge=1)

    def describe(self) -> str:
        """Return the limits in words; empty without any."""
        texts = {
            "requests a minute": self.requests_a_minute,
            "s of video a day": self.video_s_a_day,
            "frames a day": self.frames_a_day,
            "jobs queued": self.queued_jobs,
        }
        return ", ".join(f"{limit:g} {text}" for text, limit in texts.items() if limit is not None)


UNLIMITED: Final = Quota()


@dataclass(frozen=True, slots=True)
class Caller:
    """Sender of a request: the owner of its results, jobs and videos.

    Attributes:
        id: owner of the key, or a digest of the token's subject, ``[A-Za-z0-9_-]{1,64}``; empty
            where the service runs without keys. It names the folder of the caller's videos.
        name: for logs and lists, never a secret.
        quota: limits of the key; those of the setting ``quota`` for one without its own.
    """

    id: str
    name: str = ""
    quota: Quota = UNLIMITED


ANONYMOUS: Final = Caller("", "anonymous")
"""Everybody, where the service runs without keys; also callers with a handle of the graph."""


TOKEN_OWNER: Final = "oidc-"  # noqa: S105  no password
"""Beginning of ``Caller.id`` of callers with a token."""


def video_key(owner: str, stem: str) -> str:
    """Return the key of an annotated video in the store: below a folder of its owner's."""
    return f"{owner}/{stem}.mp4" if owner else f"{stem}.mp4"
