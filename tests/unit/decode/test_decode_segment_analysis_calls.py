"""How a segment is analyzed: calls in full batches and few at once, errors, cancelling, memory."""

import asyncio
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest

from deployments.decode import detection_intervals
from deployments.decode.segment_analysis import analyze_segment
from deployments.errors import InferenceError, MediaError, NotAVideoError
from deployments.media.picture import Picture
from deployments.messages import AnalysisOptions, Detections, Segment
from tests.support.corpus import cut, probed
from tests.support.made_up_people import Model, detector, people_in, pose_model, poses_in

OPTIONS = AnalysisOptions(
    pose_input=(48, 64), detector_input=(96, 96), batch=4, pose_calls_in_flight=2, detector_stride=2
)


def segment_of(frames=240, size=(96, 64)):
    """A segment of a file that does not exist, for the reader below."""
    return Segment(
        path="no such file",
        time_base=(1, 25),
        rotation_deg=0,
        width=size[0],
        height=size[1],
        index=0,
        first_frame=0,
        pts=np.arange(frames, dtype=np.int64),
        seek_pts=0,
        closing_pts=None,
    )


class Pictures:
    """Stands in for the reader: grey pictures of one pixel, counted and watched.

    Attributes:
        read: how many were given. most_alive: of those given, held by others at once at the most.
        closed: whether the reader was closed or came to its end.
    """

    def __init__(self, on_picture=lambda index: None):
        self.read = 0
        self.most_alive = 0
        self.closed = False
        self._on_picture = on_picture
        self._alive = weakref.WeakSet()

    def __call__(self, segment, **_how):
        plane = np.zeros((1, 1), np.uint8)
        try:
            for i, pts in enumerate(segment.pts.tolist()):
                self._on_picture(i)
                picture = Picture(i, pts, plane, plane, plane, True, False)
                self._alive.add(picture)
                self.read += 1
                yield picture
                del picture
                self.most_alive = max(self.most_alive, len(self._alive))
        finally:
            self.closed = True


@pytest.fixture
def pictures(monkeypatch):
    source = Pictures()
    monkeypatch.setattr(detection_intervals, "read", source)
    return source


def one_person(batch):
    """Half a pixel of a person in every picture."""
    box = np.array([[0, 0, 48, 96]], np.float32)
    return [Detections(box, np.ones(1, np.float32)) for _ in batch]


def analyze(segment, options=OPTIONS, detect=None, estimate=None):
    return asyncio.run(
        analyze_segment(segment, options, detect or Model(one_person), estimate or pose_model())
    )


async def for_ever(_):
    await asyncio.Event().wait()


async def a_moment(_):
    await asyncio.sleep(0.02)


@pytest.mark.parametrize("batch", [1, 3, 4, 16])
def test_pose_calls_have_full_batches_but_for_the_last(batch):
    estimate = pose_model()

    found = analyze(cut(probed("h264")), replace(OPTIONS, batch=batch), detector(), estimate)

    count = len(found.frame)
    assert estimate.sizes == [batch] * (count // batch) + ([count % batch] if count % batch else [])


@pytest.mark.parametrize("window", [1, 2, 5])
def test_no_more_pose_calls_at_once_than_the_window(pictures, window):
    estimate = pose_model()

    async def for_one_another(number):
        for _ in range(500):
            if number >= window or estimate.most_running >= window:
                break
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.002)

    estimate.wait = for_one_another

    analyze(segment_of(), replace(OPTIONS, pose_calls_in_flight=window), estimate=estimate)

    assert estimate.most_running == window
    assert sum(estimate.sizes) == 240


def test_two_detector_calls_at_once_each_of_a_few_pictures(pictures):
    detect = Model(one_person, wait=a_moment)

    analyze(segment_of(), detect=detect)

    assert detect.most_running == 2
    assert sum(detect.sizes) == 240 / 2 + 1  # every second one, and the last
    assert max(detect.sizes) == 4


def test_next_pictures_are_read_while_the_models_work(pictures):
    """Reading goes on to its bound although the first answer has not come."""
    read_at_first_answer = []

    async def wait(number):
        if number == 0:
            await asyncio.sleep(0.2)
            read_at_first_answer.append(pictures.read)

    analyze(segment_of(), detect=Model(one_person, wait=wait))

    assert read_at_first_answer[0] >= 2 * 4 * OPTIONS.detector_stride


@pytest.mark.parametrize(
    ("size", "most"),
    [
        pytest.param((96, 64), 3 * 4 * 2 + 2, id="small: three groups of four intervals"),
        pytest.param((3840, 2160), 3 * 1 * 2 + 2, id="4K: three of one"),
        pytest.param((8192, 4320), 3 * 1 * 2 + 2, id="8K: no fewer"),
    ],
)
@pytest.mark.parametrize("slow", ["detect", "estimate", "neither"])
def test_few_pictures_are_held_whoever_is_slow(pictures, size, most, slow):
    async def slowly(_):
        await asyncio.sleep(0.003)

    detect = Model(one_person, **({"wait": slowly} if slow == "detect" else {}))
    estimate = pose_model(**({"wait": slowly} if slow == "estimate" else {}))

    analyze(segment_of(120, size), detect=detect, estimate=estimate)

    assert pictures.read == 120
    assert pictures.most_alive <= most


def test_no_picture_is_held_afterwards(pictures):
    analyze(segment_of())

    assert pictures.closed
    assert len(pictures._alive) == 0


class OwnError(Exception):
    pass


def failing_at(number, error):
    async def wait(n):
        if n == number:
            raise error
        await asyncio.sleep(0 if n < number else 60)

    return wait


@pytest.mark.parametrize("who", ["detect", "estimate"])
@pytest.mark.parametrize("number", [0, 2])
def test_the_error_of_a_call_is_raised_and_the_others_cancelled(pictures, who, number):
    error = OwnError("why")
    detect = Model(one_person, **({"wait": failing_at(number, error)} if who == "detect" else {}))
    estimate = pose_model(wait=failing_at(number, error) if who == "estimate" else a_moment)

    with pytest.raises(OwnError, match="why") as caught:
        analyze(segment_of(), detect=detect, estimate=estimate)

    assert caught.value is error
    assert detect.running == estimate.running == 0
    assert pictures.closed


def test_an_error_cancels_calls_that_are_under_way(pictures):
    async def wait(number):
        await (for_ever(0) if number == 0 else asyncio.sleep(0.01))
        raise OwnError

    estimate = pose_model(wait=wait)

    with pytest.raises(OwnError):
        analyze(segment_of(), estimate=estimate)

    assert estimate.cancelled == 1


@pytest.mark.parametrize("answers", [-2, 1])
def test_a_detector_that_answers_another_number_of_pictures(pictures, answers):
    detect = Model(lambda batch: one_person(range(len(batch) + answers)))

    with pytest.raises(InferenceError, match="detector answered"):
        analyze(segment_of(), detect=detect)


@pytest.mark.parametrize("answers", [-1, 1])
def test_a_pose_model_that_answers_another_number_of_crops(pictures, answers):
    def estimate(crops):
        return "Wrong", poses_in(np.repeat(crops[:1], len(crops) + answers, axis=0))

    with pytest.raises(InferenceError, match="Wrong answered"):
        analyze(segment_of(), estimate=Model(estimate))


def test_an_error_of_reading_is_raised_and_calls_are_cancelled(monkeypatch):
    def broken(index):
        if index == 100:
            raise MediaError("pictures in this format cannot be converted")

    source = Pictures(broken)
    monkeypatch.setattr(detection_intervals, "read", source)

    with pytest.raises(MediaError, match="cannot be converted"):
        analyze(segment_of(), detect=Model(one_person, wait=a_moment))

    assert source.read == 100
    assert source.closed


def test_a_file_that_is_no_longer_a_video(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")

    with pytest.raises(NotAVideoError):
        analyze(replace(cut(probed("h264")), path=str(path)))


async def cancelled_after(seconds, segment, detect, estimate, options=OPTIONS):
    task = asyncio.create_task(analyze_segment(segment, options, detect, estimate))
    await asyncio.sleep(seconds)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("who", ["detect", "estimate"])
def test_cancelling_ends_calls_closes_the_file_and_leaves_no_thread(open_files, who):
    threads = set(threading.enumerate())
    detect = detector(**({"wait": for_ever} if who == "detect" else {}))
    estimate = pose_model(wait=for_ever)

    asyncio.run(cancelled_after(0.2, cut(probed("h264")), detect, estimate))

    assert open_files() == []
    assert detect.running == estimate.running == 0
    assert (detect if who == "detect" else estimate).cancelled > 0
    assert set(threading.enumerate()) == threads


def test_cancelling_stops_reading_after_the_picture_under_way(monkeypatch):
    reading, go_on = threading.Event(), threading.Event()

    def held_up(index):
        if index == 10:
            reading.set()
            go_on.wait(30)

    source = Pictures(held_up)
    monkeypatch.setattr(detection_intervals, "read", source)

    async def main():
        task = asyncio.create_task(
            analyze_segment(segment_of(), OPTIONS, Model(one_person), pose_model())
        )
        await asyncio.to_thread(reading.wait)
        task.cancel()
        await asyncio.sleep(0.05)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert source.closed
    assert source.read <= 12


def test_segments_side_by_side_do_not_disturb_one_another():
    media = probed("h264")
    segments = [cut(media, 0, 8), cut(media, 8, 14), cut(media, 14)]

    async def main():
        return await asyncio.gather(
            *(analyze_segment(s, OPTIONS, detector(), pose_model()) for s in segments)
        )

    for together, segment in zip(asyncio.run(main()), segments, strict=True):
        alone = analyze(segment, detect=Model(lambda b: [people_in(t) for t in b]))
        np.testing.assert_array_equal(together.box, alone.box)
        np.testing.assert_array_equal(together.poses.keypoints, alone.poses.keypoints)
