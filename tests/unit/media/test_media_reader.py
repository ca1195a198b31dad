"""Reading pictures of generated videos: every one, in order, upright, wherever reading starts."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from deployments.errors import MediaError
from deployments.media import reader
from deployments.media.open import open_media
from deployments.media.reader import decoded, read, video_stream
from deployments.messages import ticks_to_seconds
from tests.support.corpus import VIDEOS, cut, probed, video
from tests.support.numbered_pictures import is_upright, number_of


def planes(picture):
    return picture.y.tobytes(), picture.u.tobytes(), picture.v.tobytes()


@pytest.mark.parametrize("name", VIDEOS)
def test_every_picture_is_read_upright_with_its_number_and_time(name):
    expected, media = video(name), probed(name)

    pictures = list(read(cut(media)))

    assert [p.index for p in pictures] == list(range(expected.frame_count))
    seconds = ticks_to_seconds(
        np.array([p.pts for p in pictures]) - pictures[0].pts, media.time_base
    )
    assert seconds == pytest.approx([float(t) for t in expected.pts_s], abs=1e-9)
    shown = [p.bgr() for p in pictures]
    assert {image.shape for image in shown} == {(expected.height, expected.width, 3)}
    assert tuple(map(number_of, shown)) == expected.numbers
    assert all(is_upright(image, expected.corner) for image in shown)


@pytest.mark.parametrize("name", VIDEOS)
def test_pictures_do_not_depend_on_where_the_video_is_cut(name):
    """A segment from every frame on, and one of every single frame, bit by bit."""
    media = probed(name)
    whole = [planes(p) for p in read(cut(media))]

    for start in range(media.frame_count):
        pictures = list(read(cut(media, start)))
        assert [p.index for p in pictures] == list(range(start, media.frame_count))
        assert [planes(p) for p in pictures] == whole[start:]
        stop = start + 1
        alone = list(read(cut(media, start, stop)))
        assert [planes(p) for p in alone] == whole[start : stop + 1]  # with the closing one


@pytest.mark.parametrize("name", VIDEOS)
def test_pictures_are_those_of_a_file_opened_with_a_trial(name):
    segment = cut(probed(name))

    tried = list(read(replace(segment, in_order=False)))

    assert [planes(p) for p in read(segment)] == [planes(p) for p in tried]


def test_a_trial_is_spared_where_pictures_are_stored_in_order(monkeypatch):
    """Elsewhere a decoder may have to see some to know how many to hold back."""
    trials = []

    def opened(*args, **kwargs):
        trials.append(kwargs["trial"])
        return open_media(*args, **kwargs)

    monkeypatch.setattr(reader, "open_media", opened)
    for name in ("no_b_frames", "h264"):
        list(read(cut(probed(name))))

    assert trials == ["none", "all"]


def test_pictures_stay_as_they_are_while_later_ones_are_read():
    """The decoder refers to its own frames again and overwrites them."""
    media = probed("one_gop")
    kept, at_once = [], []
    for picture in read(cut(media)):
        kept.append(picture)
        at_once.append(planes(picture))

    assert [planes(p) for p in kept] == at_once


def test_planes_cannot_be_written_to():
    picture = next(read(cut(probed("h264"))))

    for plane in (picture.y, picture.u, picture.v):
        with pytest.raises(ValueError, match="read-only"):
            plane[0, 0] = 0


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("name", ["h264", "hevc", "vp9", "av1", "ten_bit"])
def test_pictures_do_not_depend_on_the_number_of_threads(name, threads):
    segment = cut(probed(name))

    assert [planes(p) for p in read(segment, threads)] == [planes(p) for p in read(segment)]


@pytest.mark.parametrize(("cpus", "threads"), [(1, 1), (2, 1), (6, 3), (64, 4)])
def test_a_decoder_has_half_the_cpus_and_four_threads_at_the_most(monkeypatch, cpus, threads):
    streams = []
    monkeypatch.setattr(reader, "usable_cpus", lambda: cpus)
    monkeypatch.setattr(
        reader, "video_stream", lambda *args: streams.append(video_stream(*args)) or streams[-1]
    )

    with closing(read(cut(probed("h264")))) as pictures:
        next(pictures)
        assert [stream.codec_context.thread_count for stream in streams] == [threads]


def test_the_file_is_closed_when_reading_is_abandoned(open_files):
    media = probed("h264")
    pictures = read(cut(media))
    next(pictures)
    assert open_files() == [media.path]

    pictures.close()

    assert open_files() == []


def test_the_file_is_closed_at_the_end_and_after_an_error(open_files, tmp_path):
    media = probed("h264")
    list(read(cut(media)))
    assert open_files() == []

    absent = replace(cut(media), path=str(tmp_path / "absent.mp4"))
    with pytest.raises(OSError, match="No such file"):
        next(read(absent))
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(MediaError):
        next(read(replace(absent, path=str(tmp_path / "text.mp4"))))
    assert open_files() == []


def test_a_few_frames_from_the_middle_cost_a_few_frames(monkeypatch):
    taken = []

    def counted(*arguments):
        for frame in decoded(*arguments):
            taken.append(frame.pts)
            yield frame

    monkeypatch.setattr(reader, "decoded", counted)

    pictures = list(read(cut(probed("two_frame_gops"), 8, 10)))

    assert [p.index for p in pictures] == [8, 9, 10]
    assert len(taken) <= 5


def test_reading_ends_soon_after_a_last_picture_that_does_not_decode(monkeypatch):
    """And not at the end of the file."""
    media = probed("open_gop")
    lost, taken = int(media.pts[5]), []

    def counted(*arguments):
        for frame in decoded(*arguments):
            if frame.pts != lost:
                taken.append(frame.pts)
                yield frame

    monkeypatch.setattr(reader, "decoded", counted)

    pictures = list(read(cut(media, 0, 5)))

    assert [p.index for p in pictures] == [0, 1, 2, 3, 4]
    assert len(taken) < 25 < media.frame_count


def test_times_that_the_file_does_not_have_give_no_picture():
    """The file changed after it was probed, say."""
    media = probed("h264")
    segment = cut(media, 4, 8)
    shifted = replace(segment, pts=segment.pts + np.array([0, 1, 0, 0]))

    assert [p.index for p in read(shifted)] == [4, 6, 7, 8]


def test_a_cover_is_not_the_video():
    with open_media(video("cover").path) as container:
        kinds = [stream.codec.canonical_name for stream in container.streams.video]
        chosen = video_stream(container)

        assert sorted(kinds) == ["h264", "mjpeg"]
        assert chosen.codec.canonical_name == "h264"


@pytest.mark.parametrize("name", ["h264", "open_gop", "hevc_open_gop", "vp9_live", "mkv"])
def test_decoding_can_start_at_any_key_frame_and_before(name):
    media = probed(name)
    for key in media.keyframe_pts.tolist():
        with open_media(media.path) as container:
            found = [f.pts for f in decoded(container, video_stream(container), key)]

        assert set(media.pts[media.pts >= key].tolist()) <= set(found)
        assert found == sorted(found)
