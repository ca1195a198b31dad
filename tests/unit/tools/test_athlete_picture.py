"""What is drawn is where the truth says it is; videos hold it frame by frame."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from deployments.decode.probe import MediaLimits, probe
from deployments.decode.segments import split
from deployments.media.reader import read
from tools.athlete import raster
from tools.athlete.clip import Take, film, stage
from tools.athlete.motion import Style
from tools.athlete.sample import portrait
from tools.athlete.scene import Scene

ROOMY = MediaLimits(10**9, 600, 10**8, 10**5)
SHORT = Take(seconds=0.5, size=(320, 360), fps=20, seed=3)


@pytest.mark.parametrize("view", [0.0, 60.0, 90.0, 180.0, -90.0])
def test_all_that_is_drawn_of_the_body_is_in_the_box_and_fills_it(view, monkeypatch):
    monkeypatch.setattr(Scene, "_shadow", lambda *_: None)  # it is nobody's body
    scene = stage(Take(view=view, seconds=1, fps=2, size=(320, 360), seed=5))
    scene.noise = 0
    for i in range(2):
        changed = np.abs(scene.frame(i).astype(int) - scene.place).max(2) > 8
        box = scene.boxes[i]
        rows, columns = np.nonzero(changed)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert seen == pytest.approx(box, abs=3)


def test_joints_lie_on_the_body_that_is_drawn():
    scene = stage(Take(view=40, seconds=1, fps=4, size=(320, 360), seed=7))
    scene.noise = 0
    for i in range(4):
        changed = np.abs(scene.frame(i).astype(int) - scene.place).max(2) > 4
        x, y = np.round(scene.keypoints[i]).astype(int).T
        assert changed[y, x].mean() > 0.95


def test_what_lies_close_behind_something_is_darker_and_nothing_else_is(monkeypatch):
    scene = stage(Take("lunge", view=90, seconds=1, fps=2, size=(320, 360), seed=5))
    scene.noise = 0
    shaded = scene.frame(1).astype(int)
    monkeypatch.setattr(raster, "_occlude", lambda *_: None)
    plain = scene.frame(1).astype(int)
    assert (shaded <= plain).all()
    darker = (plain - shaded).max(2)
    body = np.abs(plain - scene.place).max(2) > 8
    assert 0.01 < (darker > 8)[body].mean() < 0.5
    assert (darker == 0)[body].mean() > 0.1
    assert not darker[~body].any()


def test_the_same_seed_gives_the_same_picture_and_another_another():
    assert np.array_equal(portrait(11).picture, portrait(11).picture)
    assert portrait(11).picture.shape != portrait(12).picture.shape


def test_samples_have_one_person():
    portraits = [portrait(seed) for seed in range(20)]
    assert {len(sample.keypoints) for sample in portraits} == {1}
    assert all((sample.boxes[:, 2:] > sample.boxes[:, :2]).all() for sample in portraits)


@pytest.mark.parametrize(
    ("codec", "suffix", "rotation_deg"),
    [("libx264", ".mp4", 0), ("libx264", ".mp4", 90), ("libx264", ".mp4", 270),
     ("libvpx-vp9", ".webm", 0)],
)  # fmt: skip
def test_a_video_shows_the_scene_upright_at_its_times(tmp_path, codec, suffix, rotation_deg):
    path = tmp_path / f"take{suffix}"
    truth = film(SHORT, path, codec=codec, rotation_deg=rotation_deg, time_base=Fraction(1, 1000))
    media = probe(path, ROOMY)
    assert (media.width, media.height, media.rotation_deg) == (320, 360, rotation_deg)
    assert media.times_s == pytest.approx(truth.times_s, abs=1e-3)
    scene = stage(SHORT)
    (segment,) = split(media, 4, 600)
    for picture, expected in zip(read(segment), scene.frames(), strict=True):
        apart = np.abs(picture.bgr()[..., ::-1].astype(int) - expected)
        assert apart.mean() < 6


def test_truth_is_in_pixels_of_the_size_that_is_filmed(tmp_path):
    small, large = (
        film(Take(seconds=0.1, size=size, seed=4), tmp_path / f"{size[0]}.mp4")
        for size in ((360, 360), (1440, 1440))
    )
    assert large.keypoints == pytest.approx((small.keypoints + 0.5) * 4 - 0.5, abs=1.0)
    with av.open(str(tmp_path / "1440.mp4")) as container:
        assert container.streams.video[0].codec_context.width == 1440


def test_the_same_take_is_the_same_film(tmp_path):
    for name in ("a", "b"):  # x264 needs some pictures of this size to tell its runs apart
        film(Take(seconds=0.7, size=(480, 540), seed=3), tmp_path / f"{name}.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_times_may_be_uneven_and_an_open_shutter_blurs(tmp_path):
    times = (0.0, 0.03, 0.1, 0.12)
    film(Take(times_s=times, size=(160, 180), seed=1), tmp_path / "v.mp4")
    assert probe(tmp_path / "v.mp4", ROOMY).times_s == pytest.approx(times, abs=1e-4)
    sharp = Take(style=Style(period_s=0.5), times_s=(0.12,), size=(160, 180), seed=1, fps=10)
    pictures = []
    for exposure in (0.0, 0.9):
        path = tmp_path / f"{exposure}.mp4"
        film(replace(sharp, exposure=exposure), path, options={"crf": "0"})
        with av.open(str(path)) as container:
            pictures.append(next(container.decode(video=0)).to_ndarray(format="gray").astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.3
