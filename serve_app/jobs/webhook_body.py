"""Write the body of a webhook call: that a job has ended, and where its result is."""

import json

from serve_app.jobs.job import JobRecord, JobState


def webhook_body(job: JobRecord) -> str:
    """Return the JSON of an ended job: no results and no secrets, but paths of this service."""
    path = f"/jobs/{job.id}"
    succeeded = job.state == JobState.SUCCEEDED
    return json.dumps(
        {
            "type": f"job.{job.state}",
            "timestamp": job.ended_at,
            "data": {
                "id": job.id,
                "group": job.group,
                "state": job.state,
                "created_at": job.created_at,
                "started_at": job.started_at,
                "ended_at": job.ended_at,
                "expires_at": job.expires_at,
                "code": None if job.error is None else job.error.get("code"),
                "location": path,
                "result": f"{path}/result" if succeeded else None,
                "video": f"{path}/video" if succeeded and job.video_url is not None else None,
            },
        }
    )
