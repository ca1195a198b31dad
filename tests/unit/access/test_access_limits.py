"""Limits of a caller: requests within a minute, video within a day."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from deployments.errors import QuotaExceededError, RateLimitedError
from serve_app.access import limits as module
from serve_app.access.caller import ANONYMOUS, Caller, Quota
from serve_app.access.limits import DailyUse, RateLimits


def test_requests_are_counted_in_a_moving_window_for_each_caller(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    rates, caller = RateLimits(), Caller("a", quota=Quota(requests_a_minute=3))
    for at in (1000.0, 1020.0, 1040.0):
        now[0] = at
        rates.count(caller)
    with pytest.raises(RateLimitedError) as refused:
        rates.count(caller)
    assert (refused.value.retry_after_s, refused.value.facts) == (20.0, {"limit": 3})
    rates.count(Caller("b", quota=caller.quota))
    now[0] = 1060.5
    rates.count(caller)
    with pytest.raises(RateLimitedError):
        rates.count(caller)


def test_a_caller_without_a_limit_is_not_counted():
    rates = RateLimits()
    for _ in range(1000):
        rates.count(ANONYMOUS)


@pytest.mark.parametrize(
    ("quota", "says"),
    [
        (Quota(video_s_a_day=60), "61 s of video"),
        (Quota(frames_a_day=1800), "1830 frames"),
    ],
)
def test_a_day_of_video_is_used_up_and_another_begins(quota, says, monkeypatch):
    now = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, _zone):
            return now

    monkeypatch.setattr(module, "datetime", Clock)
    daily, caller = DailyUse(), Caller("a", quota=quota)
    daily.add("a", 30.5, 915)
    daily.refuse_if_spent(caller)
    daily.add("a", 30.5, 915)
    with pytest.raises(QuotaExceededError, match=says) as refused:
        daily.refuse_if_spent(caller)
    assert refused.value.retry_after_s == 3600
    daily.refuse_if_spent(Caller("b", quota=quota))
    daily.refuse_if_spent(Caller("a"))
    now += timedelta(hours=1)
    daily.refuse_if_spent(caller)


def test_quotas_are_described_in_words():
    assert Quota().describe() == ""
    assert (
        Quota(video_s_a_day=90.5, queued_jobs=2).describe()
        == "90.5 s of video a day, 2 jobs queued"
    )
