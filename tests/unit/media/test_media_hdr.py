"""HDR pictures are brought to BT.709 with their reference white, 203 cd/m², as white."""

from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from deployments.media import picture
from deployments.media.picture import Converter, is_hdr

PQ, HLG, SDR = 16, 18, 1
SIZE = (96, 64)  # as in the corpus
# Signals of reference white (ITU-R BT.2408, table 1) and of 18 % grey.
WHITE = {PQ: 0.58, HLG: 0.75}
GREY = {PQ: 0.38, HLG: 0.38}


def grey_frame(signal, transfer):
    """Ten bits in limited range, BT.2020."""
    frame = av.VideoFrame(*SIZE, "yuv420p10le")
    for plane, value in zip(frame.planes, (round(64 + 876 * signal), 512, 512), strict=True):
        np.frombuffer(memoryview(plane), np.uint16)[:] = value
    frame.colorspace, frame.color_range, frame.color_primaries = 9, 1, 9
    frame.color_trc, frame.pts = transfer, 0
    return frame


@pytest.mark.parametrize("transfer", [PQ, HLG], ids=["PQ", "HLG"])
def test_reference_white_is_white_and_greys_keep_their_order(transfer):
    signals = [0, 0.2, GREY[transfer], 0.5, WHITE[transfer], 0.9]
    with Converter(SIZE, 0) as converter:
        shown = [converter.picture(grey_frame(s, transfer), 0).bgr()[32, 48] for s in signals]

    black, dark, grey, light, white, brighter = (int(p.mean()) for p in shown)
    assert all(np.ptp(p.astype(int)) <= 1 for p in shown)  # no color comes in
    assert black == 0
    assert 0 < dark < grey < light < white <= brighter
    assert 95 <= grey <= 125  # 18 % in BT.709: 0.18**0.45 to 0.18**(1 / 2.4) of 255, less the knee
    assert white >= 250


def test_sdr_of_wide_gamut_is_no_hdr():
    frame = grey_frame(0.5, SDR)

    with Converter(SIZE, 0) as converter:
        converted = converter.picture(frame, 0)

    assert not is_hdr(frame)
    assert converted.bt709
    assert not converted.full_range
    assert abs(int(converted.bgr()[32, 48].mean()) - 128) <= 2


def test_the_table_of_colors_is_worked_out_once_for_many_segments(monkeypatch):
    """It takes seconds."""
    made = []
    new = picture.VideoReformatter
    monkeypatch.setattr(picture, "VideoReformatter", lambda: made.append(1) or new())

    planes = []
    for signal in (0.3, 0.5, 0.3):
        made.clear()
        with Converter(SIZE, 0) as converter:
            planes.append(converter.picture(grey_frame(signal, HLG), 0).y)

    assert len(made) == 1  # the converter's own for other pictures
    np.testing.assert_array_equal(planes[0], planes[2])
    assert planes[1].mean() > planes[0].mean()


def test_what_is_in_use_is_not_given_to_another():
    idle = picture._IdleReformatters(most=2)
    first, second = idle.take("a"), idle.take("a")
    assert first is not second

    idle.give_back("a", first)
    idle.give_back("b", second)

    assert idle.take("b") is second
    assert idle.take("a") is first
    assert idle.take("a") is not first


def test_few_are_kept():
    idle = picture._IdleReformatters(most=2)
    for kind in "abc":
        idle.give_back(kind, picture.VideoReformatter())

    assert [kind for kind, _ in idle._idle] == ["b", "c"]


def test_many_threads_never_hold_the_same_one():
    idle = picture._IdleReformatters(most=3)
    held: set[int] = set()

    def use(_):
        reformatter = idle.take("kind")
        assert id(reformatter) not in held
        held.add(id(reformatter))
        held.remove(id(reformatter))
        idle.give_back("kind", reformatter)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(2000)))
