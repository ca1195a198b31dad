"""Work in threads that ends when nobody waits for it any more."""

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployments.annotated_video import EncodeOptions
from deployments.concurrency import WorkCancelledError, in_thread
from deployments.decode.probe import probe
from deployments.media.reader import read
from deployments.render.render import join_and_store, render_segment
from deployments.render.storage import LocalStore
from deployments.serve_handles import await_response
from tests.support.annotated import nothing
from tests.support.corpus import ROOMY, cut, probed


def after(asks):
    """Says at the question after so many that the work is not wanted."""
    count = itertools.count()
    return lambda: next(count) >= asks


def test_work_under_way_is_informed_and_what_waits_never_begins():
    begun, ended, second = threading.Event(), threading.Event(), threading.Event()

    def work(cancelled):
        begun.set()
        while not cancelled():
            ended.wait(0.001)
        ended.set()

    async def story():
        with ThreadPoolExecutor(1) as pool:
            calls = [
                asyncio.create_task(in_thread(work, pool)),
                asyncio.create_task(in_thread(lambda _: second.set(), pool)),
            ]
            while not begun.is_set():
                await asyncio.sleep(0.001)
            for call in reversed(calls):
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert all(call.cancelled() for call in calls)

    asyncio.run(story())
    assert ended.is_set()
    assert not second.is_set()


def test_a_result_and_an_error_come_as_they_are():
    assert asyncio.run(in_thread(lambda cancelled: cancelled())) is False
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda _: 1 // 0))


def test_a_handles_answer_that_is_not_awaited_to_its_end_is_cancelled():
    class Response:
        cancelled = False

        def __await__(self):
            return asyncio.sleep(60).__await__()

        def cancel(self):
            self.cancelled = True

    response = Response()

    async def story():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await await_response(response, "Decode")

    asyncio.run(story())
    assert response.cancelled


@pytest.mark.parametrize("name", ["h264", "vp8_hidden_frames"])  # by its packets, by its pictures
@pytest.mark.parametrize("asks", [0, 5])
def test_a_probe_ends_between_packets(name, asks):
    path = probed(name).path
    with pytest.raises(WorkCancelledError):
        probe(path, ROOMY, after(asks))


def test_reading_ends_between_packets_before_the_first_picture_too():
    media = probed("one_gop")
    last = cut(media, media.frame_count - 1)
    assert len(list(read(last))) == 1
    assert list(read(last, cancelled=after(5))) == []
    assert len(list(read(cut(media), cancelled=after(5)))) < 5


def test_drawing_and_joining_end_and_store_nothing(tmp_path):
    media = probed("h264")
    options = EncodeOptions(preset="ultrafast")
    cancelled = render_segment(cut(media), nothing(20), tmp_path, options, after(5))
    assert cancelled.frames < 5
    part = render_segment(cut(media), nothing(20), tmp_path, options)
    (tmp_path / "stored").mkdir()
    store = LocalStore(tmp_path / "stored", "https://example.test")
    for asks in (0, 5, part.frames):  # the last is asked before it is stored
        with pytest.raises(WorkCancelledError):
            join_and_store([part], media, tmp_path, "0" * 32 + ".mp4", store, after(asks))
    assert list((tmp_path / "stored").iterdir()) == []
