"""`POST /pose?stream=true`: lines of JSON while the segments of a video finish.

Serve's proxy takes whatever a replica sends, however slowly the client reads. So a stream has at
most :data:`MOST_BYTES`; frames that do not fit are left out, and the last line says so.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from biomech.skeleton import KEYPOINTS
from deployments.errors import ServiceError
from deployments.media_choice import MediaOptions
from deployments.messages import AnalysisOptions, MediaInfo, Segment, SegmentPoses
from serve_app.http.problems import problem
from serve_app.pipeline import Progress, Stages
from serve_app.results.response_writer import Answer

logger = logging.getLogger("mmpose_service")

NDJSON: Final = "application/x-ndjson"
MOST_BYTES: Final = 32 * 1024**2
"""Most bytes of a stream, without its last line."""

_FRAMES_AT_ONCE = 64  # written in one call of a thread
Analysis = Callable[[Stages, Progress], Coroutine[Any, Any, Answer]]


async def pose_lines(
    analyze: Analysis, stages: Stages, request_id: str
) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a stream. The analysis is cancelled with the iteration.

    Each line is an object with a ``type``: ``progress`` (stage, done, total), ``poses`` (people of
    a segment as measured, not yet followed through the clip), ``frame`` (an item of
    ``poses_per_frame``), and last ``result`` (the response without frames) or ``error`` (with
    its ``problem`` document).

    Raises:
        ServiceError: before the first line, which comes once the video has been probed.
    """
    outbox = _Outbox()
    work = asyncio.create_task(analyze(_PosesAside(stages, outbox), outbox.progress))
    work.add_done_callback(lambda _: outbox.close())
    began = False
    try:
        while (line := await outbox.next()) is not None:
            began = True
            yield line
        try:
            answer = await work
        except Exception as error:
            if not began:
                raise
            failure = error if isinstance(error, ServiceError) else _unforeseen(request_id)
            yield _line("error", {"problem": problem(failure, request_id)[0]})
            return
        frames = answer.frames()
        while part := await asyncio.to_thread(lambda: list(islice(frames, _FRAMES_AT_ONCE))):
            for frame in part:
                if outbox.fits(line := _begun(b'"type":"frame"', frame)):
                    yield line
        head = await asyncio.to_thread(answer.head)
        yield _begun(b'"type":"result","lines_left_out":%d' % outbox.left_out, head)
    finally:
        work.cancel()
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # nobody else may ask


def _unforeseen(request_id: str) -> ServiceError:
    """Log the error that is being handled, and return the one that its caller is shown."""
    logger.exception("request %s failed", request_id)
    return ServiceError("an unforeseen error; it was logged")


class _Outbox:
    """Lines to send, of a limited number of bytes in all."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._bytes = 0
        self.left_out = 0

    async def next(self) -> bytes | None:
        """Return the next line, None at the end."""
        return await self._lines.get()

    def close(self) -> None:
        """End the lines."""
        self._lines.put_nowait(None)

    def fits(self, line: bytes) -> bool:
        """Count a line that is to be sent, or left out where there is no room for it."""
        if self._bytes + len(line) > MOST_BYTES:
            self.left_out += 1
            return False
        self._bytes += len(line)
        return True

    def put(self, line: bytes) -> None:
        """Add a line."""
        if self.fits(line):
            self._lines.put_nowait(line)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Add a line of progress; see :data:`serve_app.pipeline.Progress`."""
        self.put(_line("progress", {"stage": stage, "done": done, "total": total}))


class _PosesAside:
    """Stages that put the poses of each segment into the outbox, in the order of the video."""

    def __init__(self, stages: Stages, outbox: _Outbox) -> None:
        self.biomechanics = stages.biomechanics
        self.render = stages.render
        self.join = stages.join
        self._stages = stages
        self._outbox = outbox
        self._media: MediaInfo | None = None
        self._early: dict[int, bytes] = {}  # lines whose turn has not come, by segment
        self._turn = 0

    async def probe(self, path: Path, options: MediaOptions) -> MediaInfo:
        """See ``Stages``."""
        media = await self._stages.probe(path, options)
        self._media = media
        return media

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """See ``Stages``."""
        poses = await self._stages.analyze(segment, options)
        if self._media is None:
            raise AssertionError("segments come from a video that was probed")
        self._early[segment.index] = await asyncio.to_thread(
            _poses_line, segment, poses, self._media
        )
        while (line := self._early.pop(self._turn, None)) is not None:
            self._outbox.put(line)
            self._turn += 1
        return poses


def _poses_line(segment: Segment, found: SegmentPoses, media: MediaInfo) -> bytes:
    rows = slice(segment.first_frame, segment.first_frame + len(segment.pts))
    frames: list[dict[str, Any]] = [
        {"frame_number": number, "timestamp": round(time_s, 6), "people": []}
        for number, time_s in zip(
            media.numbers[rows].tolist(), media.times_s[rows].tolist(), strict=True
        )
    ]
    for row, frame in enumerate(found.frame.tolist()):
        points = zip(
            KEYPOINTS,
            found.poses.keypoints[row].astype(np.float64).round(2).tolist(),
            found.poses.score[row].astype(np.float64).round(4).tolist(),
            strict=True,
        )
        frames[frame - segment.first_frame]["people"].append(
            {
                "box": found.box[row].astype(np.float64).round(2).tolist(),
                # NaN is not equal to itself
                "keypoints": {
                    name: {
                        "x": xy[0] if xy[0] == xy[0] else None,
                        "y": xy[1] if xy[1] == xy[1] else None,
                        "confidence": score,
                    }
                    for name, xy, score in points
                },
            }
        )
    return _line("poses", {"segment": segment.index, "frames": frames})


def _begun(members: bytes, text: bytes) -> bytes:
    """Return the line of a JSON object, maybe an empty one, with ``members`` before its own."""
    return b"{%b%b%b\n" % (members, b"" if text == b"{}" else b",", text[1:])


def _line(kind: str, values: dict[str, Any]) -> bytes:
    text = json.dumps({"type": kind, **values}, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"
