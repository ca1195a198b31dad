"""A cluster as queues: nodes with cores and an accelerator, and videos that go through them.

The scheduling is the service's own: ``split`` cuts videos, ``fan_out`` hands out their segments.
What is simulated is how long each piece of work holds a core or an accelerator.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deployments.decode.segments import split
from deployments.messages import MediaInfo, Segment
from serve_app.pipeline import fan_out


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of one video frame: seconds of a ``core``, seconds of an ``accelerator``.

    Attributes:
        decode_core: decoding and cutting crops.
        pose_accelerator: detector and pose network of the people in a frame; 0 where there is none.
        pose_core: the same on a core; 0 where there is an accelerator.
        render_core: decoding again, drawing and encoding.
        clip_core: once for the whole clip, of one core: probing, biomechanics and the answer.
        join_core: the same, of an annotated video: joining its segments.
        hop: latency of a call between replicas, which holds nothing.
    """

    decode_core: float
    pose_accelerator: float
    pose_core: float
    render_core: float
    clip_core: float
    join_core: float = 0.0
    hop: float = 0.002


@dataclass(frozen=True, slots=True)
class Cluster:
    """Equal nodes, and the settings of the service.

    Attributes:
        nodes: number of them. cores: of each. accelerators: of each.
        segments_in_flight: of one video at once. pose_calls_in_flight: of a segment.
        call_frames: frames in one call to the pose model.
        segment_s, stride: as in the settings.
    """

    nodes: int
    cores: int
    accelerators: int = 1
    segments_in_flight: int = 16
    pose_calls_in_flight: int = 2
    call_frames: int = 26
    segment_s: float = 4.0
    stride: int = 4


class Pool:
    """Equal servers in a queue, first come, first served, with counts."""

    def __init__(self, servers: int) -> None:
        self._gate = asyncio.Semaphore(servers)
        self.busy_s = 0.0

    async def work(self, seconds: float) -> None:
        """Hold one server for so long."""
        if seconds <= 0:
            return
        async with self._gate:
            await asyncio.sleep(seconds)
        self.busy_s += seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a simulation.

    Attributes:
        seconds: until the last video was done. first_segment_s: until each video's first segment
            was analyzed. core_s, accelerator_s: how long they worked, in all.
    """

    seconds: float
    first_segment_s: tuple[float, ...]
    core_s: float
    accelerator_s: float


def video(duration_s: float, fps: float = 30.0, key_frames_s: float = 2.0) -> MediaInfo:
    """Return the probe of a video of this length."""
    pts = np.arange(max(round(duration_s * fps), 1))
    return MediaInfo(
        path="simulated",
        container="mov",
        codec="h264",
        pixel_format="yuv420p",
        width=1920,
        height=1080,
        rotation_deg=0,
        time_base=(1, round(fps)),
        pts=pts,
        keyframe_pts=pts[:: round(key_frames_s * fps)],
    )


async def process(
    videos: Sequence[MediaInfo], cluster: Cluster, costs: Costs, *, annotated: bool, at_once: int
) -> Outcome:
    """Analyze all videos, some at once; run it by ``virtual_time.simulate``."""
    cores = Pool(cluster.nodes * cluster.cores)
    accelerators = Pool(cluster.nodes * cluster.accelerators)
    loop = asyncio.get_running_loop()
    first: list[float] = []

    async def analyze(segment: Segment) -> None:
        window = asyncio.Semaphore(cluster.pose_calls_in_flight)
        async with asyncio.TaskGroup() as calls:
            for start in range(0, len(segment.pts), cluster.call_frames):
                frames = min(cluster.call_frames, len(segment.pts) - start)
                await cores.work(frames * costs.decode_core)
                await window.acquire()
                calls.create_task(estimate(frames, window))

    async def estimate(frames: int, window: asyncio.Semaphore) -> None:
        await asyncio.sleep(costs.hop)
        await accelerators.work(frames * costs.pose_accelerator)
        await cores.work(frames * costs.pose_core)
        window.release()

    async def render(segment: Segment) -> None:
        await asyncio.sleep(costs.hop)
        await cores.work(len(segment.pts) * costs.render_core)

    async def one(media: MediaInfo) -> None:
        began = loop.time()
        segments = split(media, cluster.stride, cluster.segment_s)

        def done(count: int) -> None:
            if count == 1:
                first.append(loop.time() - began)

        await fan_out(segments, analyze, cluster.segments_in_flight, done)
        await cores.work(media.frame_count * costs.clip_core)
        if annotated:
            await fan_out(segments, render, cluster.segments_in_flight)
            await cores.work(media.frame_count * costs.join_core)

    await fan_out(videos, one, at_once)
    return Outcome(loop.time(), tuple(first), cores.busy_s, accelerators.busy_s)
