"""Still pictures: the header, before anything is decoded, and the picture as a video of one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.decode.probe import probe
from deployments.decode.segments import split
from deployments.errors import MediaError, TooLargeError
from deployments.media.container_sniffing import sniff
from deployments.media.reader import read
from deployments.media.still_picture import still_header
from deployments.media_choice import MediaOptions
from tests.support.corpus import ROOMY
from tests.support.stills import DEMUXERS, FORMATS, REFUSED, plain, still


def written(folder, data):
    path = folder / "picture"
    path.write_bytes(data)
    return path


def shown(media):
    (picture,) = read(split(media, 4)[0])
    return picture.bgr()[..., ::-1].astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", FORMATS)
def test_headers_have_size_and_orientation(tmp_path, kind, orientation):
    path = written(tmp_path, still(plain(), kind, orientation))

    assert sniff(path) == DEMUXERS[kind]
    header = still_header(path, DEMUXERS[kind])
    assert (header.width, header.height) == ((96, 64) if orientation < 5 else (64, 96))
    assert header.orientation == orientation


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {}) for kind in FORMATS),
        ("JPEG", {"progressive": True}),
        ("WEBP", {"lossless": True}),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(96, 64), (97, 721)])
def test_a_picture_is_a_video_of_one_frame(tmp_path, kind, options, size):
    """Of the right colors, also where a video of that height would have others."""
    rgb = plain(*size)
    media = probe(written(tmp_path, still(rgb, kind, **options)), ROOMY)

    assert (media.frame_count, media.duration_s, media.fps) == (1, 0, 0)
    assert (media.width, media.height) == size
    assert (media.container, media.warnings) == (kind.lower(), ())
    found = shown(media)
    for y in (size[1] // 4, size[1] * 3 // 4):
        for x in (size[0] // 4, size[0] * 3 // 4):
            assert found[y, x] == pytest.approx(rgb[y, x].astype(int), abs=4)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", FORMATS)
def test_pictures_are_upright(tmp_path, kind, orientation):
    media = probe(written(tmp_path, still(plain(), kind, orientation)), ROOMY)

    assert (media.width, media.height) == (96, 64)
    assert np.abs(shown(media) - plain()).mean() < 4


@pytest.mark.parametrize("orientation", [2, 4, 5, 7])
def test_mirrored_pictures_are_turned_and_say_so(tmp_path, orientation):
    media = probe(written(tmp_path, still(plain(), "PNG", orientation)), ROOMY)

    assert [code for code, _ in media.warnings] == ["mirror_ignored"]
    assert np.abs(shown(media) - plain()[:, ::-1]).mean() < 4


def test_the_rotation_of_a_request_is_that_of_the_stored_picture(tmp_path):
    path = written(tmp_path, still(plain(), "PNG", 6))
    media = probe(path, ROOMY, options=MediaOptions(rotation_deg=0))

    assert np.abs(shown(media) - np.rot90(plain())).mean() < 4


@pytest.mark.parametrize("name", REFUSED)
def test_pictures_that_are_refused(tmp_path, name):
    content, error = REFUSED[name]

    with pytest.raises(MediaError) as refused:
        probe(written(tmp_path, content()), ROOMY)
    assert type(refused.value) is error


def test_a_picture_may_have_four_times_the_pixels_of_a_videos(tmp_path):
    path = written(tmp_path, still(plain(), "PNG"))
    small = type(ROOMY)(10**6, 10, 96 * 64 // 4, 10)

    assert probe(path, small).frame_count == 1
    with pytest.raises(TooLargeError, match="6144 pixels"):
        probe(path, type(ROOMY)(10**6, 10, 96 * 64 // 4 - 1, 10))


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = written(tmp_path, still(plain(), "PNG"))
    with path.open("ab") as file:
        file.truncate(200 * 1024**2)  # sparse

    with pytest.raises(TooLargeError, match="bytes"):
        still_header(path, "png_pipe")


@given(data=st.binary(max_size=200), kind=st.sampled_from(FORMATS), at=st.integers(0, 300))
def test_any_damage_is_a_typed_error_or_none(tmp_path_factory, data, kind, at):
    whole = still(plain(8, 8), kind, 6)
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(whole[:12] + whole[12:at] + data + whole[at + len(data) :])

    try:
        media = probe(path, ROOMY)
    except MediaError:
        return
    assert media.frame_count == 1
    assert len(list(read(split(media, 4)[0]))) <= 1
