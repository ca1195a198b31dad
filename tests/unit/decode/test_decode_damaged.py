"""Files that are cut short or damaged are refused, or what is left of them is read rightly."""

import numpy as np
import pytest

from deployments.decode.probe import probe
from deployments.errors import MediaError, NoFramesError, NotAVideoError, TruncatedError
from deployments.media.container_sniffing import boxes
from deployments.media.open import open_media
from deployments.media.reader import read
from tests.support.corpus import ROOMY, cut, probed, video
from tests.support.numbered_pictures import number_of


def cuts(data, count=60):
    """Lengths from one to all bytes but one, and those about the beginning."""
    return sorted({*range(1, 40), *np.linspace(1, len(data) - 1, count).astype(int).tolist()})


def numbers_read(path):
    """Position and number of every picture that is read."""
    media = probe(path, ROOMY)
    return media, [(p.index, number_of(p.bgr())) for p in read(cut(media))]


# With the index in front, at the end, in every fragment; lengths stated.
WHOLE_OR_NOTHING = ["h264", "faststart", "mov", "hevc", "mkv", "vp9", "vp8_hidden_frames",
                    "h264_avi", "mpeg4_avi", "mjpeg_avi", "pcm_mov"]  # fmt: skip


@pytest.mark.parametrize("name", WHOLE_OR_NOTHING)
def test_a_file_cut_anywhere_is_told_as_cut(tmp_path, name):
    data = video(name).path.read_bytes()
    path = tmp_path / "cut"
    for length in cuts(data):
        path.write_bytes(data[:length])
        # Of the first bytes, hardly the kind of the file is known.
        with pytest.raises(TruncatedError if length >= 48 else MediaError):
            probe(path, ROOMY)


def test_a_fragmented_file_ends_with_a_whole_fragment_or_is_cut(tmp_path):
    data = video("fragmented").path.read_bytes()
    with video("fragmented").path.open("rb") as file:
        ends = [end for kind, _, end in boxes(file, len(data)) if kind == b"mdat"]
    assert len(ends) == 3
    path = tmp_path / "cut"
    for end, count in zip(ends, (8, 16, 20), strict=True):
        path.write_bytes(data[:end])
        media, numbers = numbers_read(path)
        assert media.frame_count == count
        assert numbers == [(i, i) for i in range(count)]
        for length in (end - 50, end - 1, end + 9, end + 50):
            path.write_bytes(data[:length])
            with pytest.raises(TruncatedError):
                probe(path, ROOMY)


def test_a_recording_without_lengths_is_read_as_far_as_it_goes(tmp_path):
    data = video("vp9_live").path.read_bytes()
    path = tmp_path / "cut"
    counts = []
    for length in cuts(data, 80):
        path.write_bytes(data[:length])
        try:
            media, numbers = numbers_read(path)
        except (NotAVideoError, TruncatedError, NoFramesError):
            assert not counts
            continue
        counts.append(media.frame_count)
        assert numbers == [(i, i) for i in range(media.frame_count)]

    assert counts == sorted(counts)
    assert len(set(counts)) > 15


def test_sound_that_is_cut_costs_no_picture(tmp_path):
    """In a file with its index in front, and the pictures before most of the sound."""
    data = video("longer_aac").path.read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(data[: len(data) // 2])

    media, numbers = numbers_read(path)

    assert media.frame_count == 20
    assert numbers == [(i, i) for i in range(20)]


MIDDLE = [
    "h264",
    "open_gop",
    "hevc",
    "vp9",
    "mkv",
    "mpeg4_avi",
    "h264_avi",
    "mjpeg_avi",
    "av1",
    "ten_bit",
]


@pytest.mark.parametrize("name", MIDDLE)
def test_overwritten_bytes_in_the_middle_do_no_harm_elsewhere(tmp_path, name):
    """Pictures that are read at their own place, the first ones undamaged."""
    data = bytearray(video(name).path.read_bytes())
    media = probed(name)
    start = data.index(b"mdat") if name not in ("mkv", "vp9") and b"mdat" in data else 700
    middle = start + (len(data) - start) // 3
    data[middle : middle + 60] = np.random.default_rng(5).bytes(60)
    path = tmp_path / "damaged"
    path.write_bytes(data)

    try:
        found, numbers = numbers_read(path)
    except MediaError:
        return
    assert found.frame_count <= media.frame_count
    indices = [i for i, _ in numbers]
    assert indices == sorted(set(indices))
    assert all(0 <= i < found.frame_count for i in indices)


def test_a_file_that_cannot_be_sought_is_read_from_its_beginning(tmp_path):
    """The space for an index claims to be as long as no file; FFmpeg then refuses to seek."""
    data = bytearray(video("h264_avi").path.read_bytes())
    data[data.index(b"JUNK", 200) + 6] = 0x80
    path = tmp_path / "damaged.avi"
    path.write_bytes(data)

    media, numbers = numbers_read(path)

    assert media.frame_count == 20
    assert numbers == [(i, i) for i in range(20)]


def without_picture(path, name, lost):
    """A video whose picture ``lost`` is overwritten with zeros."""
    data = bytearray(video(name).path.read_bytes())
    with open_media(video(name).path) as container:
        entry = container.streams.video[0].index_entries[lost]
        data[entry.pos : entry.pos + entry.size] = bytes(entry.size)
    path.write_bytes(data)


@pytest.mark.parametrize("lost", [0, 3, 7])
def test_a_picture_that_does_not_decode_is_left_out_wherever_reading_starts(tmp_path, lost):
    """Every picture is stored by itself."""
    path = tmp_path / "damaged.mov"
    without_picture(path, "prores_mov", lost)

    media = probe(path, ROOMY)

    assert media.frame_count == 8
    assert (media.width, media.height) == (96, 64)
    for start in range(8):
        found = [(p.index, number_of(p.bgr())) for p in read(cut(media, start))]
        assert found == [(i, i) for i in range(start, 8) if i != lost]


def test_pictures_after_the_next_key_frame_are_unharmed(tmp_path):
    path = tmp_path / "damaged.mp4"
    without_picture(path, "no_b_frames", 1)
    media = probe(path, ROOMY)
    later = media.pts >= media.keyframe_pts[1]

    numbers = dict(numbers_read(path)[1])

    assert media.frame_count == 20
    assert numbers[0] == 0
    assert 1 not in numbers
    assert {i: numbers[i] for i in np.flatnonzero(later)} == {i: i for i in np.flatnonzero(later)}


@pytest.mark.parametrize("lost", range(1, 16))
def test_times_that_the_file_does_not_store_are_right_again_after_a_key_frame(tmp_path, lost):
    """AVI with B-frames and a key frame every eight: times are dealt out in order."""
    data = bytearray(video("h264_avi").path.read_bytes())
    with open_media(video("h264_avi").path) as container:
        packet = [p for p in container.demux(video=0) if p.size][lost]
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path = tmp_path / "damaged.avi"
    path.write_bytes(data)
    first = probed("h264_avi").pts[0]

    numbers = {p.pts - first: number_of(p.bgr()) for p in read(cut(probe(path, ROOMY)))}

    next_key = 16 if lost >= 8 else 8
    assert {time: n for time, n in numbers.items() if time >= next_key} == {
        n: n for n in range(next_key, 20)
    }
