"""Fifty jobs at once: fifty results, none of them twice."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.e2e.job_service import ended
from tests.support import markers

JOBS = 50


def test_fifty_jobs_at_once_have_fifty_results(tmp_path, survivor):
    """Each of another length, which tells the results apart."""
    videos = [
        markers.write_video(tmp_path / f"{n}.mp4", markers.squat(2 + n)).read_bytes()
        for n in range(JOBS)
    ]
    with (
        httpx.Client(base_url=survivor.url, timeout=120) as http,
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
        assert sorted(listed) == sorted([survivor.job_id, *ids])
