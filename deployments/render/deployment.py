"""The render stage: draws and encodes segments, joins and stores them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ray import serve

from deployments.messages import (
    EncodedSegment,
    EncodeOptions,
    MediaInfo,
    Overlay,
    Segment,
    StoredVideo,
)
from deployments.remote import log_as_serve
from deployments.render.render import join_and_store, render_segment
from deployments.render.storage import LocalStore, open_store


class RenderReplica:
    """Segments and what to draw on them in, a stored video out."""

    def __init__(self, output: str, public_url: str, keep_results_s: float) -> None:
        """Open the store; see :func:`deployments.render.storage.open_store`.

        A local store keeps videos for ``keep_results_s``; a bucket has its own lifecycle rules.
        """
        log_as_serve()
        self._store = open_store(output, public_url)
        self._keep_results_s = keep_results_s

    async def render(
        self, segment: Segment, overlay: Overlay, folder: str, options: EncodeOptions
    ) -> EncodedSegment:
        """See :func:`deployments.render.render.render_segment`."""
        return await asyncio.to_thread(render_segment, segment, overlay, Path(folder), options)

    async def join(
        self, encoded: Sequence[EncodedSegment], media: MediaInfo, folder: str, key: str
    ) -> StoredVideo:
        """See :func:`deployments.render.render.join_and_store`."""
        if isinstance(self._store, LocalStore):
            await asyncio.to_thread(self._store.sweep, self._keep_results_s)
        return await asyncio.to_thread(
            join_and_store, encoded, media, Path(folder), key, self._store
        )


Render = serve.deployment(RenderReplica, name="Render")
