"""Show a job as the interface does: percent, estimate and links."""

from collections.abc import Callable

from serve_app.jobs.job import CORRECTED_FROM, JobProgress, JobRecord, JobState, QueueStats, Stage
from serve_app.results.job_schema import Job, JobLinks
from serve_app.results.response_schema import Problem


def job_view(
    record: JobRecord,
    position: int | None,
    stats: QueueStats | None,
    now: float,
    linked: Callable[[str, str], str] = lambda url, _path: url,
) -> Job:
    """Return ``record`` as the interface shows it.

    Args:
        position: place in the queue, if it is queued. stats: of the queue, if it is queued.
        now: seconds since the epoch. linked: signs paths; see ``Access.linked``.
    """
    path = f"/jobs/{record.id}"
    succeeded = record.state == JobState.SUCCEEDED
    progress = record.progress
    share = 1.0 if succeeded else _share(progress, with_video=record.request.get("video", True))
    return Job(
        id=record.id,
        state=record.state.value,
        group=record.group,
        corrected_from=record.request.get(CORRECTED_FROM),
        stage=progress.stage.value if progress.stage and record.state == JobState.RUNNING else None,
        percent=round(100 * share, 1),
        frames_done=progress.frames_done,
        frames_total=progress.frames_total or None,
        position=position,
        eta_s=_eta_s(record, share, position, stats, now),
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        expires_at=record.expires_at,
        attempts=record.attempts,
        result_bytes=record.result_bytes,
        error=Problem.model_validate(record.error) if record.error else None,
        cancel_requested=record.cancel_requested,
        webhook_delivered_at=record.webhook_delivered_at,
        webhook_error=record.webhook_error,
        links=JobLinks(
            self=path,
            events=f"{path}/events",
            source=linked(f"{path}/source", f"{path}/source"),
            result=f"{path}/result" if succeeded else None,
            video=linked(f"{path}/video", f"{path}/video")
            if succeeded and record.video_url
            else None,
            report=linked(f"{path}/report", f"{path}/report") if succeeded else None,
        ),
    )


def _share(progress: JobProgress, *, with_video: bool) -> float:
    """Return the share of the segments that are analyzed and, with a video, rendered."""
    rounds = 2 if with_video else 1
    done = progress.done / progress.total if progress.total else 0.0
    match progress.stage:
        case Stage.ANALYZE:
            return done / rounds
        case Stage.BIOMECHANICS:
            return 1.0 / rounds
        case Stage.RENDER:
            return (1.0 + done) / rounds
        case Stage.STORE:
            return 1.0
    return 0.0


def _eta_s(
    record: JobRecord, share: float, position: int | None, stats: QueueStats | None, now: float
) -> float | None:
    if record.state == JobState.RUNNING and record.attempts > 1:
        return None  # the time since its start includes that in which nobody worked on it
    if record.state == JobState.RUNNING and record.started_at is not None and 0 < share < 1:
        return round((now - record.started_at) * (1 - share) / share, 1)
    if position is not None and stats is not None and stats.mean_s is not None:
        before = position / stats.running if stats.running else position - 1
        return round(stats.mean_s * (1 + before), 1)
    return None
