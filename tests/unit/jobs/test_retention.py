"""Deletion by age and size, and of what nobody owns."""

import os
import time

import pytest

from deployments.errors import StorageError
from deployments.render.storage import LocalStore
from serve_app.jobs.job_files import JobFiles, video_key
from serve_app.jobs.retention import Retention
from serve_app.jobs.store import JobStore
from tests.support.job_tables import new_job
from tests.support.made_up_segments import segment_poses

pytestmark = pytest.mark.anyio
SIZE = 100_000
IDS = [f"{i:032x}" for i in range(4)]


@pytest.fixture
def files(tmp_path):
    return JobFiles(tmp_path / "jobs")


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "videos" / ".jobs").mkdir(parents=True)
    return LocalStore(tmp_path / "videos", "")


@pytest.fixture
async def table(tmp_path):
    store = await JobStore.open(f"sqlite:///{tmp_path}/jobs.db")
    yield store
    await store.close()


def retention(table, files, videos, most_bytes=1 << 40, keep_s=1000.0):
    limits = {"most_bytes": most_bytes, "keep_s": keep_s, "keep_videos_s": 1000.0}
    return Retention(table, files, videos, **limits)


async def ended(table, files, videos, job_id, keep_s=1000.0):
    await queued(table, files, job_id)
    await table.claim(f"w{job_id}", 30)
    assert await table.succeed(
        job_id, f"w{job_id}", result_bytes=1, video_url="/videos/x", keep_s=keep_s
    )
    (videos.folder / video_key(job_id)).write_bytes(b"video")


async def queued(table, files, job_id):
    files.make(job_id)
    files.source(job_id).write_bytes(bytes(SIZE))
    await table.submit([new_job("ann", id=job_id, source=None)], max_queued=10)


async def test_a_video_is_deleted_by_its_age_though_no_other_is_stored(table, files, videos):
    old, young = (videos.folder / f"{i:032x}.mp4" for i in range(2))
    for video in (old, young):
        video.write_bytes(b"video")
    os.utime(old, (0, 0))
    await ended(table, files, videos, IDS[0])
    os.utime(videos.folder / video_key(IDS[0]), (0, 0))
    await retention(table, files, videos).sweep()
    assert (old.exists(), young.exists()) == (False, True)
    assert (videos.folder / video_key(IDS[0])).exists()  # as long as its job


async def left(table, files, videos):
    """The jobs that have all of row, folder and video; and those that have any."""
    rows = {job_id for job_id in IDS if await table.get(job_id, None)}
    folders = {job_id for job_id in IDS if files.folder(job_id).exists()}
    stored = {path.stem for path in (videos.folder / ".jobs").iterdir()}
    return rows & folders & stored, rows | folders | stored


async def test_expired_jobs_go_with_their_files_and_videos(table, files, videos):
    await ended(table, files, videos, IDS[0], keep_s=-1)
    await ended(table, files, videos, IDS[1])
    await retention(table, files, videos).sweep()
    assert await left(table, files, videos) == ({IDS[1]}, {IDS[1]})


async def test_the_oldest_ended_jobs_go_first_where_there_are_too_many_bytes(table, files, videos):
    for job_id in IDS[:3]:
        await ended(table, files, videos, job_id)
    await queued(table, files, IDS[3])
    await table.claim("w", 30)
    await retention(table, files, videos, most_bytes=int(2.5 * SIZE)).sweep()
    assert await left(table, files, videos) == ({IDS[2]}, {IDS[2], IDS[3]})
    assert files.source(IDS[3]).is_file()


async def test_jobs_that_have_not_ended_keep_all_files_whatever_they_take(table, files, videos):
    await queued(table, files, IDS[0])
    await table.claim("w", 30)
    await queued(table, files, IDS[1])
    with files.workspace(IDS[0]) as (_, resume):
        files.segments.put("0" * 64, segment_poses(30), resume)
        await retention(table, files, videos, most_bytes=1).sweep()
        assert files.segments.get("0" * 64, resume) is not None
    assert all(files.source(job_id).is_file() for job_id in IDS[:2])


async def test_segments_have_a_quarter_of_the_bytes(table, files, videos, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for i in range(4):
        files.segments.put(f"{i:064x}", segment_poses(30), own)
    kept = tmp_path / "jobs" / "segments"
    size = next(kept.rglob("*.npz")).stat().st_size
    await retention(table, files, videos, most_bytes=4 * 2 * size).sweep()
    assert len(list(kept.rglob("*.npz"))) == 2


async def test_a_folder_without_a_row_goes_after_an_hour(table, files, videos):
    for job_id, age_s in ((IDS[0], 3700), (IDS[1], 3500)):
        files.make(job_id)
        os.utime(files.folder(job_id), (time.time() - age_s,) * 2)
    await queued(table, files, IDS[2])
    os.utime(files.folder(IDS[2]), (time.time() - 3700,) * 2)
    await retention(table, files, videos).sweep()
    assert [files.folder(job_id).exists() for job_id in IDS[:3]] == [False, True, True]


async def test_what_another_attempt_would_need_goes_only_once_the_job_has_ended(
    table, files, videos
):
    await ended(table, files, videos, IDS[0])
    await queued(table, files, IDS[1])
    for job_id in IDS[:2]:
        with files.workspace(job_id):
            pass
        os.utime(files.folder(job_id), (time.time() - 3700,) * 2)
    await retention(table, files, videos).sweep()
    assert [(files.folder(job_id) / "resume").exists() for job_id in IDS[:2]] == [False, True]


async def test_a_video_that_cannot_be_deleted_is_logged_and_the_rest_goes(
    table, files, videos, caplog
):
    class Denied:
        def remove(self, key):
            raise StorageError(f"{key} cannot be deleted")

    for job_id in IDS[:2]:
        await ended(table, files, videos, job_id, keep_s=-1)
    await retention(table, files, Denied()).sweep()
    assert not any(files.folder(job_id).exists() for job_id in IDS[:2])
    assert caplog.text.count("cannot be deleted") == 2
    assert await table.get(IDS[0], None) is None
