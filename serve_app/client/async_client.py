"""Call a service from asyncio; the calls are those of the blocking client."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import httpx

from serve_app.client import analysis_flows, job_flows, result_flows
from serve_app.client.answers import key_for, timeout
from serve_app.client.connections import AsyncConnection
from serve_app.client.job_events import JobEvent
from serve_app.client.job_flows import JobProgress
from serve_app.client.pose_client import JOB_RETRIES, LOCAL, TIMEOUT_S
from serve_app.client.steps import Emit, Exchange, Flow
from serve_app.client.stream_lines import StreamLine
from serve_app.client.uploads import UploadProgress, upload
from serve_app.http.export_query import Format
from serve_app.results.correction_schema import Correction
from serve_app.results.health_schema import Health
from serve_app.results.job_schema import Job, JobGroup, StateName
from serve_app.results.response_schema import FramePose, PoseResponse

Result = TypeVar("Result")


class AsyncPoseClient:
    """Calls one service, as :class:`serve_app.client.PoseClient`, whose documentation holds here.

    Close iterators that you leave early: ``async with contextlib.aclosing(...)``.
    """

    def __init__(
        self,
        base_url: str = LOCAL,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int | None = None,
        api_key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout(timeout_s),
            transport=transport,
            auth=key_for(base_url, api_key),
        )
        self._retries = retries or 0
        self._job_retries = JOB_RETRIES if retries is None else retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def analyze(self, source: str | Path, /, **options: Any) -> PoseResponse:
        """Analyze a video."""
        return await self._run(analysis_flows.analyze(source, options, self._retries))

    async def analyze_parts(
        self, source: str | Path, fields: str, /, **options: Any
    ) -> dict[str, Any]:
        """Analyze a video, and return only parts of the response, as plain JSON values."""
        return await self._run(analysis_flows.analyze_parts(source, fields, options, self._retries))

    def stream(self, source: str | Path, /, **options: Any) -> AsyncGenerator[StreamLine, None]:
        """Analyze a video, and yield what is known while its segments finish."""
        return self._items(analysis_flows.stream(source, options, self._retries))

    async def upload(self, path: str | Path, progress: UploadProgress | None = None) -> str:
        """Upload a file in parts; where the connection breaks, go on from what has arrived."""
        return await self._run(upload(Path(path), progress, self._retries))

    async def health(self) -> Health:
        """Return what is loaded, even if the service is not ready."""
        return await self._run(analysis_flows.health())

    async def wait_until_ready(self, timeout_s: float = 120.0) -> Health:
        """Wait for a service that is starting."""
        return await self._run(analysis_flows.wait_until_ready(timeout_s))

    async def download(self, response: PoseResponse, to: str | Path) -> Path:
        """Fetch the annotated video of ``response`` into the file ``to``, which is given back."""
        return await self._run(analysis_flows.download(response.video_url, to, self._retries))

    @overload
    async def export(
        self, result: PoseResponse | str | Path, kind: Format, to: None = None, **options: Any
    ) -> bytes: ...

    @overload
    async def export(
        self, result: PoseResponse | str | Path, kind: Format, to: str | Path, **options: Any
    ) -> Path: ...

    async def export(
        self,
        result: PoseResponse | str | Path,
        kind: Format,
        to: str | Path | None = None,
        **options: Any,
    ) -> bytes | Path:
        """Make a file of another program of a result."""
        return await self._run(analysis_flows.export(result, kind, to, options, self._retries))

    async def submit(
        self, source: str | Path, /, *, idempotency_key: str | None = None, **options: Any
    ) -> Job:
        """Queue a video; it waits its turn, and the result is kept."""
        return await self._run(
            job_flows.submit(source, options, idempotency_key, self._job_retries)
        )

    async def submit_all(
        self,
        sources: Sequence[str | Path],
        /,
        *,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> JobGroup:
        """Queue several videos with the same options: all, or none."""
        return await self._run(
            job_flows.submit_all(sources, options, idempotency_key, self._job_retries)
        )

    async def job(self, job_id: str) -> Job:
        """Return the state of a job."""
        return await self._run(job_flows.job(job_id, self._job_retries))

    def jobs(
        self, *, state: StateName | None = None, group: str | None = None
    ) -> AsyncGenerator[Job, None]:
        """Yield your jobs, the newest first, read page by page."""
        return self._items(job_flows.jobs(state, group, self._job_retries))

    def events(self, job_id: str, after: int = 0) -> AsyncGenerator[JobEvent, None]:
        """Yield the events of a job as they come, until it has ended."""
        return self._items(job_flows.events(job_id, after, self._job_retries))

    async def wait(
        self, job_id: str, progress: JobProgress | None = None, timeout_s: float | None = None
    ) -> Job:
        """Return a job once it has ended, also if it failed."""
        (ended,) = await self.wait_all([job_id], progress, timeout_s)
        return ended

    async def wait_all(
        self,
        job_ids: Sequence[str],
        progress: JobProgress | None = None,
        timeout_s: float | None = None,
    ) -> list[Job]:
        """Return jobs once all have ended, in the order of their ids; see :meth:`wait`."""
        return await self._run(job_flows.wait(job_ids, progress, timeout_s, self._job_retries))

    async def result(self, job_id: str) -> PoseResponse:
        """Return the result of a job, in pages where it is too large for one answer."""
        return await self._run(result_flows.result(job_id, self._job_retries))

    async def result_parts(self, job_id: str, fields: str | None = None) -> dict[str, Any]:
        """Return only parts of the result of a job, as plain JSON values."""
        return await self._run(result_flows.result_parts(job_id, fields, self._job_retries))

    def frames(self, job_id: str) -> AsyncGenerator[FramePose, None]:
        """Yield the frames of the result of a job, read page by page."""
        return self._items(result_flows.frames(job_id, self._job_retries))

    async def download_video(self, job_id: str, to: str | Path) -> Path:
        """Fetch the annotated video of a job into the file ``to``, which is given back."""
        return await self._run(result_flows.download_video(job_id, to, self._job_retries))

    async def download_source(self, job_id: str, to: str | Path) -> Path:
        """Fetch the video of a job as it was sent into the file ``to``, which is given back."""
        return await self._run(result_flows.download_source(job_id, to, self._job_retries))

    @overload
    async def export_job(
        self, job_id: str, kind: Format, to: None = None, **options: Any
    ) -> bytes: ...

    @overload
    async def export_job(
        self, job_id: str, kind: Format, to: str | Path, **options: Any
    ) -> Path: ...

    async def export_job(
        self, job_id: str, kind: Format, to: str | Path | None = None, **options: Any
    ) -> bytes | Path:
        """Make a file of another program of the result of a job, without sending it back."""
        return await self._run(result_flows.export(job_id, kind, to, options, self._job_retries))

    async def correct(
        self, job_id: str, changes: Sequence[Correction | Mapping[str, Any]], key: str | None = None
    ) -> Job:
        """Queue a job that computes a result again from points and events corrected by hand."""
        return await self._run(job_flows.correct(job_id, changes, key, self._job_retries))

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job that has not ended, and return it; one that has is left as it is."""
        return await self._run(job_flows.cancel(job_id, self._job_retries))

    async def delete(self, job_id: str) -> None:
        """Delete a job with its files; one that has not ended is cancelled first."""
        await self._run(job_flows.delete(job_id, self._job_retries))

    async def _run(self, flow: Flow[Result]) -> Result:
        exchange = Exchange(flow)
        async for _ in self._steps(exchange):
            pass
        return exchange.result

    def _items(self, flow: Flow[None]) -> AsyncGenerator[Any, None]:
        return self._steps(Exchange(flow))

    async def _steps(self, exchange: Exchange[Any]) -> AsyncGenerator[Any, None]:
        """Carry out a flow, and yield the items that it emits."""
        connection = AsyncConnection(self._http)
        async with AsyncExitStack() as closing:
            closing.callback(exchange.close)
            closing.push_async_callback(connection.close)
            step = exchange.resume(None)
            while step is not None:
                outcome: object = None
                if isinstance(step, Emit):
                    yield step.item
                else:
                    try:
                        outcome = await connection.outcome(step)
                    except Exception as error:
                        outcome = error
                step = exchange.resume(outcome)
