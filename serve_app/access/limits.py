"""Limits of each caller: requests a minute and video a day.

Both are counted in the memory of one Ingress replica: they begin at zero when it starts, and each
replica has its own.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from deployments.errors import QuotaExceededError, RateLimitedError
from serve_app.access.caller import Caller

_SHORTEST_WAIT_S: Final = 1.0


class RateLimits:
    """Count requests in a moving window of a minute."""

    def __init__(self) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def count(self, caller: Caller) -> None:
        """Count a request.

        Raises:
            RateLimitedError: it is one too many; says when the next fits.
        """
        most = caller.quota.requests_a_minute
        if most is None:
            return
        item = RateLimitItemPerMinute(most)
        if not self._window.hit(item, caller.id):
            free = self._window.get_window_stats(item, caller.id).reset_time
            raise RateLimitedError(
                f"this key has sent {most} requests within a minute, which is its limit",
                retry_after_s=max(free - time.time(), _SHORTEST_WAIT_S),
                limit=most,
            )


@dataclass(slots=True)
class _Used:
    video_s: float = 0.0
    frames: int = 0


class DailyUse:
    """Count the video that each caller has had analyzed since midnight UTC."""

    def __init__(self) -> None:
        self._day = datetime.now(UTC).date()
        self._used: dict[str, _Used] = {}

    def add(self, owner: str, video_s: float, frames: int) -> None:
        """Count an analyzed video of the caller with the id ``owner``."""
        if not owner:
            return
        self._begin_day(datetime.now(UTC))
        used = self._used.setdefault(owner, _Used())
        used.video_s += video_s
        used.frames += frames

    def refuse_if_spent(self, caller: Caller) -> None:
        """Refuse another video where nothing of the day's quota is left.

        Raises:
            QuotaExceededError: says when the next day begins.
        """
        now = datetime.now(UTC)
        self._begin_day(now)
        used, quota = self._used.get(caller.id, _Used()), caller.quota
        tomorrow = datetime.combine(now.date() + timedelta(1), datetime.min.time(), UTC)
        for text, amount, most in (
            ("s of video", used.video_s, quota.video_s_a_day),
            ("frames", used.frames, quota.frames_a_day),
        ):
            if most is not None and amount >= most:
                raise QuotaExceededError(
                    f"{amount:g} {text} were analyzed today; the quota of this key is {most:g}",
                    retry_after_s=(tomorrow - now).total_seconds(),
                    limit=most,
                )

    def _begin_day(self, now: datetime) -> None:
        if now.date() != self._day:
            self._day = now.date()
            self._used.clear()
