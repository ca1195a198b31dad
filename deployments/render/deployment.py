"""Serve the render stage: draw and encode segments, join and store them."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ray import serve

from deployments.annotated_video import EncodedSegment, EncodeOptions, Overlay, StoredVideo
from deployments.concurrency import in_thread
from deployments.messages import MediaInfo, Segment
from deployments.process_setup import SharedHeap, usable_cpus
from deployments.render.render import join_and_store, render_segment
from deployments.render.storage import LocalStore, open_store
from deployments.serve_handles import log_as_serve

_MOST_AT_ONCE = 4


class RenderReplica:
    """Replica that draws and encodes segments, and joins and stores the video.

    Calls wait here in order while all threads are busy. Serve retries a saturated replica with
    backoff of up to half a second, during which it would be idle.
    """

    def __init__(
        self,
        output: str,
        public_url: str,
        keep_results_s: float,
        s3_endpoint: str | None = None,
    ) -> None:
        """Open the store; see :func:`deployments.render.storage.open_store`.

        A local store keeps videos for ``keep_results_s``; a bucket has its own lifecycle rules.
        Signed addresses are valid as long.
        """
        log_as_serve()
        self._heap = SharedHeap()
        self._threads = ThreadPoolExecutor(min(usable_cpus(), _MOST_AT_ONCE), "render")
        self._store = open_store(output, public_url, s3_endpoint=s3_endpoint, url_s=keep_results_s)
        self._keep_results_s = keep_results_s

    async def render(
        self, segment: Segment, overlay: Overlay, folder: str, options: EncodeOptions
    ) -> EncodedSegment:
        """See :func:`deployments.render.render.render_segment`."""
        with self._heap.used():
            return await in_thread(
                lambda cancelled: render_segment(
                    segment, overlay, Path(folder), options, cancelled
                ),
                self._threads,
            )

    async def join(
        self, encoded: Sequence[EncodedSegment], media: MediaInfo, folder: str, key: str
    ) -> StoredVideo:
        """See :func:`deployments.render.render.join_and_store`."""
        if isinstance(self._store, LocalStore):
            await asyncio.to_thread(self._store.sweep, self._keep_results_s)
        return await in_thread(
            lambda cancelled: join_and_store(
                encoded, media, Path(folder), key, self._store, cancelled
            )
        )


Render = serve.deployment(RenderReplica, name="Render")
