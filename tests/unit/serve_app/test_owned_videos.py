"""Videos of a caller: in a folder of its own, counted, and linked where callers need keys."""

import asyncio
from pathlib import Path

import pytest

from deployments.errors import QuotaExceededError
from serve_app.access.authentication import Access
from serve_app.access.caller import Caller, Quota
from serve_app.access.links import Links
from serve_app.access.modes import AccessMode
from serve_app.results.response_schema import PoseOptions
from serve_app.service import PoseService
from tests.conftest import SQUAT_FRAMES


def analyze(service, video, tmp_path, owner):
    return asyncio.run(
        service.analyze_file(video, tmp_path, PoseOptions(data=False), "id", owner=owner)
    )


def test_a_video_is_its_owners_and_counted(service, squat_video, tmp_path):
    links = Links("a" * 64, 60)
    keyed = PoseService(
        service.settings,
        service.plan,
        service.stages,
        service._statuses,
        Access(AccessMode.KEYS, links=links),
    )
    url, _, query = analyze(keyed, squat_video, tmp_path, "0a1b").video_url.partition("?")
    name = url.rpartition("/")[2]
    assert (Path(service.settings.output) / "0a1b" / name).is_file()
    assert links.check(f"/videos/0a1b/{name}", query)
    spent = Caller("0a1b", quota=Quota(frames_a_day=SQUAT_FRAMES + 1))
    keyed.access.daily.refuse_if_spent(spent)
    keyed.access.daily.add("0a1b", 0.0, 1)
    with pytest.raises(QuotaExceededError):
        keyed.access.daily.refuse_if_spent(spent)


def test_without_keys_videos_have_no_owner_and_no_signature(service, squat_video, tmp_path):
    url = analyze(service, squat_video, tmp_path, "").video_url
    assert "?" not in url
    assert (Path(service.settings.output) / url.rpartition("/")[2]).is_file()
