"""Fifty jobs at once: fifty results, none of them twice."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.job_service import ended, job_service
from tests.support import markers
from tests.support.postgres import find_programs, running

JOBS = 50


@pytest.fixture(params=["sqlite", "postgresql"])
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


def test_fifty_jobs_at_once_have_fifty_results(tmp_path, marker_config, database):
    """Each of another length, which tells the results apart."""
    videos = [
        markers.write_video(tmp_path / f"{n}.mp4", markers.squat(2 + n)).read_bytes()
        for n in range(JOBS)
    ]
    with (
        job_service(tmp_path, marker_config, database, max_running_jobs=4) as service,
        httpx.Client(base_url=service.url, timeout=120) as http,
        ThreadPoolExecutor(JOBS) as pool,
    ):

        def submit(n):
            files = {"file": (f"{n}.mp4", videos[n])}
            answer = http.post("/jobs", files=files, data={"video": "false"})
            assert answer.status_code == 202, answer.text
            return answer.json()["id"]

        ids = list(pool.map(submit, range(JOBS)))
        assert len(set(ids)) == JOBS
        jobs = ended(http, ids)
        assert {job["state"] for job in jobs.values()} == {"succeeded"}
        assert {job["attempts"] for job in jobs.values()} == {1}
        frames = [
            http.get(f"/jobs/{job_id}/result").json()["data"]["processing_summary"]["total_frames"]
            for job_id in ids
        ]
        assert frames == [2 + n for n in range(JOBS)]
        listed = []
        cursor = None
        while True:
            page = http.get("/jobs", params={"limit": 20} | ({"cursor": cursor} if cursor else {}))
            listed += [job["id"] for job in page.json()["jobs"]]
            if (cursor := page.json()["cursor"]) is None:
                break
        assert sorted(listed) == sorted(ids)
