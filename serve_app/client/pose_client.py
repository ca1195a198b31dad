"""Call a service and wait for each answer."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

import httpx

from serve_app.client import analysis_flows, job_flows, result_flows
from serve_app.client.answers import key_for, timeout
from serve_app.client.connections import Connection
from serve_app.client.job_events import JobEvent
from serve_app.client.job_flows import JobProgress
from serve_app.client.steps import Emit, Exchange, Flow
from serve_app.client.stream_lines import StreamLine
from serve_app.client.uploads import UploadProgress, upload
from serve_app.http.export_query import Format
from serve_app.results.correction_schema import Correction
from serve_app.results.health_schema import Health
from serve_app.results.job_schema import Job, JobGroup, StateName
from serve_app.results.response_schema import FramePose, PoseResponse

Result = TypeVar("Result")
LOCAL: Final = "http://127.0.0.1:8003"
TIMEOUT_S: Final = 3600.0
JOB_RETRIES: Final = 4


class PoseClient:
    """Calls one service.

    Args:
        base_url: of the service, such as ``http://127.0.0.1:8003``.
        timeout_s: for a whole answer; an analysis takes about as long as the video is.
        retries: how often a call that the service says may succeed later is made again, after the
            time it names (``Retry-After``), else after a wait that doubles. By default an analysis,
            which takes long, is not, and calls of jobs are up to :data:`JOB_RETRIES` times.
        api_key: of a service that requires one; the environment's ``MMPOSE_API_KEY`` by default.
        transport: in the network's place, for tests.

    Every call raises the :class:`deployments.errors.ServiceError` that the service answered with,
    and :class:`UnreachableError` where there is no service.
    """

    def __init__(
        self,
        base_url: str = LOCAL,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int | None = None,
        api_key: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            timeout=timeout(timeout_s),
            transport=transport,
            auth=key_for(base_url, api_key),
        )
        self._retries = retries or 0
        self._job_retries = JOB_RETRIES if retries is None else retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def analyze(self, source: str | Path, /, **options: Any) -> PoseResponse:
        """Analyze a video.

        Args:
            source: an address (``https://``, ``gs://``, ``s3://``), or a file to upload; in parts
                if it is larger than :data:`serve_app.client.uploads.IN_PARTS_FROM`.
            options: fields of :class:`serve_app.results.response_schema.PoseOptions`.
                ``reference`` and ``before`` may be responses as this client gives them, and they
                and ``norms`` the :class:`pathlib.Path` of a file here, which is read.

        Raises:
            ServiceError: as the service answered. FileNotFoundError: no such file.
            BadParameterError: what to compare to cannot be read, or is not what it should be.
            pydantic.ValidationError: an option is unknown or out of range.
        """
        return self._run(analysis_flows.analyze(source, options, self._retries))

    def analyze_parts(self, source: str | Path, fields: str, /, **options: Any) -> dict[str, Any]:
        """Analyze a video, and return only parts of the response, as plain JSON values.

        Args:
            source: as for :meth:`analyze`.
            fields: paths with commas between them, such as ``joint_angles,video_url``.
            options: as for :meth:`analyze`.

        Raises:
            BadParameterError: the response has no such part. As for :meth:`analyze`.
        """
        return self._run(analysis_flows.analyze_parts(source, fields, options, self._retries))

    def stream(self, source: str | Path, /, **options: Any) -> Generator[StreamLine, None, None]:
        """Analyze a video, and yield what is known while its segments finish.

        Closing the iterator cancels the analysis. The last item is a
        :class:`serve_app.client.StreamEnd` with the response, whose frames came before it.

        Args:
            source: as for :meth:`analyze`. options: as for :meth:`analyze`.

        Raises:
            As for :meth:`analyze`.
        """
        return self._items(analysis_flows.stream(source, options, self._retries))

    def upload(self, path: str | Path, progress: UploadProgress | None = None) -> str:
        """Upload a file in parts; where the connection breaks, go on from what has arrived.

        Args:
            path: of the file.
            progress: called with the bytes that have arrived, and those of the file.

        Returns:
            its ``upload_id``, for one request.

        Raises:
            ServiceError: as the service answered, at the end of several tries without progress.
            FileNotFoundError: no such file.
        """
        return self._run(upload(Path(path), progress, self._retries))

    def health(self) -> Health:
        """Return what is loaded, even if the service is not ready."""
        return self._run(analysis_flows.health())

    def wait_until_ready(self, timeout_s: float = 120.0) -> Health:
        """Wait for a service that is starting.

        Raises:
            NotReadyError: it was not ready in time; says why.
        """
        return self._run(analysis_flows.wait_until_ready(timeout_s))

    def download(self, response: PoseResponse, to: str | Path) -> Path:
        """Fetch the annotated video of ``response`` into the file ``to``, which is given back.

        Raises:
            ValueError: it has none.
        """
        return self._run(analysis_flows.download(response.video_url, to, self._retries))

    @overload
    def export(
        self, result: PoseResponse | str | Path, kind: Format, to: None = None, **options: Any
    ) -> bytes: ...

    @overload
    def export(
        self, result: PoseResponse | str | Path, kind: Format, to: str | Path, **options: Any
    ) -> Path: ...

    def export(
        self,
        result: PoseResponse | str | Path,
        kind: Format,
        to: str | Path | None = None,
        **options: Any,
    ) -> bytes | Path:
        """Make a file of another program of a result.

        Args:
            result: with its data; or a file that has one as JSON.
            kind: ``csv``, ``parquet``, ``trc``, ``mot``, ``c3d`` or ``coco``: docs/exports.md.
            to: file to write, which is given back; without it the content is.
            options: other fields of :class:`serve_app.http.export_query.ExportQuery`.

        Raises:
            ServiceError: as the service answered: BadParameterError where the result has not what
                the format needs, TooLargeError. FileNotFoundError: no such file.
            pydantic.ValidationError: an option is unknown or out of range.
        """
        return self._run(analysis_flows.export(result, kind, to, options, self._retries))

    def submit(
        self, source: str | Path, /, *, idempotency_key: str | None = None, **options: Any
    ) -> Job:
        """Queue a video; it waits its turn, and the result is kept.

        Args:
            source: as for :meth:`analyze`.
            idempotency_key: requests with the same one and the same body make one job; a new one
                by default, so that a request that is made again makes no second job.
            options: fields of :class:`serve_app.results.job_schema.JobOptions`: those of
                :meth:`analyze`, and ``webhook_url``.

        Raises:
            As for :meth:`analyze`. QueueFullError: too many jobs wait already.
            IdempotencyKeyReusedError: the key was that of another request.
        """
        return self._run(job_flows.submit(source, options, idempotency_key, self._job_retries))

    def submit_all(
        self,
        sources: Sequence[str | Path],
        /,
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> JobGroup:
        """Queue several videos with the same options: all, or none.

        Args:
            sources: as for :meth:`analyze`; files are uploaded in parts.
            idempotency_key: as for :meth:`submit`. An upload has a new id each time, so that a
                key of your own serves for addresses only.
            options: as for :meth:`submit`.

        Raises:
            As for :meth:`submit`.
        """
        return self._run(job_flows.submit_all(sources, options, idempotency_key, self._job_retries))

    def job(self, job_id: str) -> Job:
        """Return the state of a job.

        Raises:
            JobNotFoundError: there is no such job of yours.
        """
        return self._run(job_flows.job(job_id, self._job_retries))

    def jobs(self, *, state: StateName | None = None, group: str | None = None) -> Iterator[Job]:
        """Yield your jobs, the newest first, read page by page."""
        return self._items(job_flows.jobs(state, group, self._job_retries))

    def events(self, job_id: str, after: int = 0) -> Generator[JobEvent, None, None]:
        """Yield the events of a job as they come, until it has ended.

        Where the connection breaks, it goes on after the last event that came, also once a service
        has restarted.

        Args:
            after: number of an event, to have those after it.

        Raises:
            JobNotFoundError: there is no such job of yours. UnreachableError: nothing came for
                :data:`serve_app.client.job_flows.RESTART_S`, or nothing at all.
        """
        return self._items(job_flows.events(job_id, after, self._job_retries))

    def wait(
        self, job_id: str, progress: JobProgress | None = None, timeout_s: float | None = None
    ) -> Job:
        """Return a job once it has ended, also if it failed; wait for a service that restarts.

        Args:
            progress: called with the job whenever it has changed.

        Raises:
            JobNotFoundError: there is no such job of yours. TimeoutError: it has not ended in
                time; it goes on.
        """
        (ended,) = self.wait_all([job_id], progress, timeout_s)
        return ended

    def wait_all(
        self,
        job_ids: Sequence[str],
        progress: JobProgress | None = None,
        timeout_s: float | None = None,
    ) -> list[Job]:
        """Return jobs once all have ended, in the order of their ids; see :meth:`wait`."""
        return self._run(job_flows.wait(job_ids, progress, timeout_s, self._job_retries))

    def result(self, job_id: str) -> PoseResponse:
        """Return the result of a job, in pages where it is too large for one answer.

        Raises:
            JobNotFoundError: there is no such job of yours. JobNotFinishedError: it has not
                succeeded. BadParameterError: it was submitted with ``fields``, so that only parts
                are stored.
        """
        return self._run(result_flows.result(job_id, self._job_retries))

    def result_parts(self, job_id: str, fields: str | None = None) -> dict[str, Any]:
        """Return only parts of the result of a job, as plain JSON values.

        Args:
            fields: as for :meth:`analyze_parts`; without them, all that is stored.

        Raises:
            BadParameterError: the response has no such part. As for :meth:`result`.
        """
        return self._run(result_flows.result_parts(job_id, fields, self._job_retries))

    def frames(self, job_id: str) -> Iterator[FramePose]:
        """Yield the frames of the result of a job, read page by page.

        Raises:
            As for :meth:`result`.
        """
        return self._items(result_flows.frames(job_id, self._job_retries))

    def download_video(self, job_id: str, to: str | Path) -> Path:
        """Fetch the annotated video of a job into the file ``to``, which is given back.

        Raises:
            As for :meth:`result`. ServiceError: it has none.
        """
        return self._run(result_flows.download_video(job_id, to, self._job_retries))

    def download_source(self, job_id: str, to: str | Path) -> Path:
        """Fetch the video of a job as it was sent into the file ``to``, which is given back.

        Raises:
            JobNotFoundError: there is no such job of yours. ServiceError: it is not there yet.
        """
        return self._run(result_flows.download_source(job_id, to, self._job_retries))

    @overload
    def export_job(self, job_id: str, kind: Format, to: None = None, **options: Any) -> bytes: ...

    @overload
    def export_job(self, job_id: str, kind: Format, to: str | Path, **options: Any) -> Path: ...

    def export_job(
        self, job_id: str, kind: Format, to: str | Path | None = None, **options: Any
    ) -> bytes | Path:
        """Make a file of another program of the result of a job, without sending it back.

        Args:
            kind: as for :meth:`export`. to: as for :meth:`export`. options: as for :meth:`export`.

        Raises:
            As for :meth:`result` and :meth:`export`.
        """
        return self._run(result_flows.export(job_id, kind, to, options, self._job_retries))

    def correct(
        self, job_id: str, changes: Sequence[Correction | Mapping[str, Any]], key: str | None = None
    ) -> Job:
        """Queue a job that computes a result again from points and events corrected by hand.

        Raises:
            BadParameterError: the result lacks a point or an event. As for :meth:`result`.
        """
        return self._run(job_flows.correct(job_id, changes, key, self._job_retries))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that has not ended, and return it; one that has is left as it is.

        A running job ends a little later: :meth:`wait`.

        Raises:
            JobNotFoundError: there is no such job of yours, or it ended at this very moment and
                was deleted.
        """
        return self._run(job_flows.cancel(job_id, self._job_retries))

    def delete(self, job_id: str) -> None:
        """Delete a job with its files; one that has not ended is cancelled first.

        Raises:
            JobNotFoundError: there is no such job of yours.
        """
        self._run(job_flows.delete(job_id, self._job_retries))

    def _run(self, flow: Flow[Result]) -> Result:
        exchange = Exchange(flow)
        for _ in self._steps(exchange):
            pass
        return exchange.result

    def _items(self, flow: Flow[None]) -> Generator[Any, None, None]:
        return self._steps(Exchange(flow))

    def _steps(self, exchange: Exchange[Any]) -> Generator[Any, None, None]:
        """Carry out a flow, and yield the items that it emits."""
        connection = Connection(self._http)
        with ExitStack() as closing:
            closing.callback(exchange.close)
            closing.callback(connection.close)
            step = exchange.resume(None)
            while step is not None:
                outcome: object = None
                if isinstance(step, Emit):
                    yield step.item
                else:
                    try:
                        outcome = connection.outcome(step)
                    except Exception as error:
                        outcome = error
                step = exchange.resume(outcome)
