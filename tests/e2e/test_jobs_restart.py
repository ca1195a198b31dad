"""A job survives the death of everything: the result is the same, and little is done twice."""

import random
import time

import httpx
import pytest

from tests.e2e.job_service import ended, job_service, kill_everything, numbers
from tests.support import markers
from tests.support.postgres import find_programs, running

SEED = 25
SEGMENTS = 24


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request):
    """URL of the table of jobs; None for SQLite in the folder of jobs."""
    if request.param == "sqlite":
        yield None
        return
    programs = find_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL, which is not installed")
    with running(programs) as url:
        yield url.replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "squats.mp4"
    return markers.write_video(path, markers.squat(15 * SEGMENTS)).read_bytes()


def test_a_job_survives_kills_of_the_whole_service(tmp_path, marker_config, video, database):
    """SIGKILL of every process at random moments; then as if nothing had been."""
    chance = random.Random(SEED)
    kills = 2 if database is None else 1
    files = {"file": ("squats.mp4", video)}
    job_id, undisturbed = None, None
    for life in range(kills + 1):
        with (
            job_service(tmp_path, marker_config, database) as service,
            httpx.Client(base_url=service.url, timeout=60) as http,
        ):
            if job_id is None:
                answer = http.post("/jobs", files=files, headers={"Idempotency-Key": "one"})
                job_id = answer.raise_for_status().json()["id"]
            if life < kills:
                wanted = SEGMENTS * 15 * chance.uniform(0.1, 0.4) * (life + 1)
                until_analyzed(http, job_id, wanted)
                kill_everything(service)
                continue
            job = ended(http, [job_id])[job_id]
            assert (job["state"], job["attempts"]) == ("succeeded", kills + 1)
            result = http.get(f"/jobs/{job_id}/result").json()
            # the same request, answered by the same job
            again = http.post("/jobs", files=files, headers={"Idempotency-Key": "one"})
            assert again.json()["id"] == job_id
            undisturbed = http.post("/pose", files=files).raise_for_status().json()
            kept = http.get(f"/jobs/{job_id}/video", follow_redirects=True)
            assert kept.content[4:8] == b"ftyp"
    assert numbers(result) == numbers(undisturbed)


def until_analyzed(http, job_id, frames):
    end = time.monotonic() + 120
    while True:
        job = http.get(f"/jobs/{job_id}").json()
        assert job["state"] in ("queued", "running"), job
        if job["frames_done"] >= frames:
            return
        assert time.monotonic() < end, job
        time.sleep(0.02)
