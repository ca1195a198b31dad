"""Submit, list, watch and end jobs in steps; see :mod:`serve_app.client.steps`."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from deployments.errors import BadParameterError, JobNotFoundError, ServiceError, UnreachableError
from serve_app.client.analysis_flows import options_to_send
from serve_app.client.job_events import next_event
from serve_app.client.steps import Emit, Flow, Lines, Pause, Send, Step, Work, retried, wait_s
from serve_app.client.uploads import forget, is_address, send_video, upload
from serve_app.results.correction_schema import Correction, CorrectionRequest
from serve_app.results.job_schema import (
    MOST_VIDEOS,
    Job,
    JobGroup,
    JobList,
    JobOptions,
    StateName,
)
from serve_app.results.validation import parse_options

JobProgress = Callable[[Job], None]
"""Called with a job whenever it has changed."""

RESTART_S = 300.0
"""Time for which waiting goes on while a service that answered before does not: it may restart."""

_FIRST_POLL_S = 0.5
_LONGEST_POLL_S: Final = 5.0
_PAGE: Final = 200
_SILENCE_S: Final = 60.0
"""Time without a byte of events after which the connection counts as broken; pings come sooner."""


class _Patience:
    """Decides whether a call that waits goes on after a failure.

    Args:
        retries: how many failures before the first answer are not the end.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._failures = 0
        self._heard_at: float | None = None

    def heard(self) -> None:
        """Note that the service answered."""
        self._failures, self._heard_at = 0, time.monotonic()

    def pause_s(self, failure: ServiceError) -> float:
        """Return the seconds until the next try.

        Raises:
            ServiceError: the failure, which is the end.
        """
        self._failures += 1
        may_pass, most = failure.retryable, self._retries
        if self._heard_at is not None and self._retries:
            # While it restarts, Serve or a gateway answers in its place.
            may_pass |= isinstance(failure, UnreachableError)
            most = sys.maxsize if time.monotonic() < self._heard_at + RESTART_S else 0
        if not may_pass or self._failures > most:
            raise failure
        return wait_s(failure, self._failures - 1)


def path_of(job_id: str) -> str:
    """Return the path of a job.

    Raises:
        BadParameterError: it is no id, and could be part of another path.
    """
    if not (job_id.isascii() and job_id.isalnum()):
        raise BadParameterError(
            f"{job_id[:40]!r} is not the id of a job",
            hint="Give the `id` that submitting answered with: 32 hexadecimal digits.",
            field="job_id",
        )
    return f"/jobs/{job_id}"


def submit(source: str | Path, options: dict[str, Any], key: str | None, retries: int) -> Flow[Job]:
    """Queue a video."""
    chosen = yield Work(partial(options_to_send, JobOptions, options))
    answer = yield from send_video("/jobs", source, chosen, retries, headers=_once(key))
    return Job.model_validate_json(answer.content)


def submit_all(
    sources: Sequence[str | Path], options: dict[str, Any], key: str | None, retries: int
) -> Flow[JobGroup]:
    """Upload the files among the sources, and queue them all, or none."""
    if not 1 <= len(sources) <= MOST_VIDEOS:
        raise BadParameterError(
            f"{len(sources)} videos were given, expected 1 to {MOST_VIDEOS}",
            hint="Submit them in several groups.",
            field="videos",
        )
    chosen = yield Work(partial(options_to_send, JobOptions, options))
    videos: list[dict[str, str]] = []
    try:
        for source in sources:
            if is_address(source):
                videos.append({"video_url": str(source)})
            else:
                upload_id = yield from upload(Path(source), None, retries)
                videos.append({"upload_id": upload_id})
        keywords = {"json": chosen | {"videos": videos}, "headers": _once(key)}
        answer = yield from retried(Send("POST", "/jobs", keywords), retries)
    except (ServiceError, OSError):
        yield from forget([video["upload_id"] for video in videos if "upload_id" in video])
        raise
    return JobGroup.model_validate_json(answer.content)


def correct(
    job_id: str, changes: Sequence[Correction | Mapping[str, Any]], key: str | None, retries: int
) -> Flow[Job]:
    """Queue the job that corrects the result of another one."""
    asked = yield Work(partial(parse_options, CorrectionRequest, {"changes": list(changes)}))
    body = asked.model_dump(mode="json", exclude_unset=True)
    keywords = {"json": body, "headers": _once(key)}
    answer = yield from retried(Send("POST", f"{path_of(job_id)}/corrections", keywords), retries)
    return Job.model_validate_json(answer.content)


def _once(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def job(job_id: str, retries: int) -> Flow[Job]:
    """Return a job."""
    answer = yield from retried(Send("GET", path_of(job_id)), retries)
    return Job.model_validate_json(answer.content)


def jobs(state: StateName | None, group: str | None, retries: int) -> Generator[Step, Any, None]:
    """Emit jobs, page by page."""
    cursor: str | None = ""
    while cursor is not None:
        page = yield from _page(state, group, cursor, retries)
        for found in page.jobs:
            yield Emit(found)
        cursor = page.cursor


def _page(state: StateName | None, group: str | None, cursor: str, retries: int) -> Flow[JobList]:
    asked = {"state": state, "group": group, "cursor": cursor, "limit": _PAGE}
    query = {name: value for name, value in asked.items() if value}
    answer = yield from retried(Send("GET", "/jobs", {"params": query}), retries)
    return JobList.model_validate_json(answer.content)


def events(job_id: str, after: int, retries: int) -> Generator[Step, Any, None]:
    """Emit events until the job has ended; connect again where the connection breaks."""
    path = f"{path_of(job_id)}/events"
    patience = _Patience(retries)
    while True:
        is_new = False
        try:
            yield _events_after(path, after)
            lines = Lines()
            while event := (yield from next_event(lines)):
                patience.heard()
                is_new, after = True, event.number
                yield Emit(event)
                if event.is_last:
                    return
            failure: ServiceError = UnreachableError("the events ended before the job")
        except ServiceError as error:
            failure = error
        else:
            if not is_new and (yield from job(job_id, retries)).ended:
                return  # its last event is not after the one that was asked for
        yield Pause(patience.pause_s(failure))


def _events_after(path: str, after: int) -> Send:
    headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream"}
    return Send("GET", path, {"headers": headers, "timeout": _SILENCE_S}, is_streamed=True)


def wait(
    job_ids: Sequence[str], progress: JobProgress | None, timeout_s: float | None, retries: int
) -> Flow[list[Job]]:
    """Ask for jobs until all have ended.

    Raises:
        TimeoutError: they have not ended in time; the jobs go on.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    known: dict[str, Job] = {}
    patience = _Patience(retries)
    poll_s = _FIRST_POLL_S
    while True:
        pending = [i for i in dict.fromkeys(job_ids) if i not in known or not known[i].ended]
        try:
            states = yield from _states(pending, known, 0)
        except ServiceError as failure:
            left, pause = pending, patience.pause_s(failure)
        else:
            patience.heard()
            for found in states:
                if progress is not None and known.get(found.id) != found:
                    progress(found)
                known[found.id] = found
            left = [i for i in pending if not known[i].ended]
            pause, poll_s = poll_s, min(poll_s * 1.5, _LONGEST_POLL_S)
        if not left:
            return [known[i] for i in job_ids]
        if end is not None:
            if time.monotonic() >= end:
                raise TimeoutError(
                    f"not ended after {timeout_s:g} s: {', '.join(left[:3])}"
                    + (f" and {len(left) - 3} more" if len(left) > 3 else "")
                )
            pause = min(pause, max(end - time.monotonic(), 0))
        yield Pause(pause)


def _states(pending: Sequence[str], known: Mapping[str, Job], retries: int) -> Flow[list[Job]]:
    """Return jobs as they are now; those of a group by one request."""
    sizes = Counter(known[i].group for i in pending if i in known)
    found: dict[str, Job] = {}
    for group in [group for group, size in sizes.items() if group and size > 1]:
        cursor: str | None = ""
        while cursor is not None:
            page = yield from _page(None, group, cursor, retries)
            found |= {each.id: each for each in page.jobs if each.id in pending}
            cursor = page.cursor
    for job_id in pending:
        if job_id not in found:
            found[job_id] = yield from job(job_id, retries)
    return list(found.values())


def cancel(job_id: str, retries: int) -> Flow[Job]:
    """Cancel a job that has not ended, and return it.

    It is not tried again: a second request would delete the job that the first one cancelled.
    """
    found = yield from job(job_id, retries)
    if found.ended:
        return found
    answer = yield Send("DELETE", path_of(job_id))
    if answer.status_code == 204:
        raise JobNotFoundError(f"the job {job_id} ended meanwhile, and is deleted")
    return Job.model_validate_json(answer.content)


def delete(job_id: str, retries: int) -> Flow[None]:
    """Cancel a job if it has not ended, wait until it has, and delete it with its files."""
    yield from job(job_id, retries)
    request = Send("DELETE", path_of(job_id))
    pause = _FIRST_POLL_S
    while True:
        try:
            answer = yield from retried(request, retries)
        except JobNotFoundError:  # the answer of an earlier request was lost
            return
        if answer.status_code == 204:
            return
        if not Job.model_validate_json(answer.content).ended:
            yield Pause(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_S)
