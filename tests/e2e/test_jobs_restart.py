"""A job survives the death of everything: the result is the same, and little is done twice."""

import httpx

from tests.e2e.job_service import ended, numbers, submit_named


def test_a_job_survives_kills_of_the_whole_service(survivor):
    """SIGKILL of every process at random moments; then as if nothing had been."""
    job_id = survivor.job_id
    with httpx.Client(base_url=survivor.url, timeout=60) as http:
        job = ended(http, [job_id])[job_id]
        assert (job["state"], job["attempts"]) == ("succeeded", survivor.kills + 1)
        result = http.get(f"/jobs/{job_id}/result").json()
        # the same request, answered by the same job
        assert submit_named(http, survivor.video) == job_id
        files = {"file": ("squats.mp4", survivor.video)}
        undisturbed = http.post("/pose", files=files).raise_for_status().json()
        kept = http.get(f"/jobs/{job_id}/video", follow_redirects=True)
        assert kept.content[4:8] == b"ftyp"
    assert numbers(result) == numbers(undisturbed)
