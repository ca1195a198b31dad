"""The library where numpy and scipy alone can be imported (U17): its modules, examples, page."""

import doctest
import json
import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import biomech
from biomech.skeleton import KEYPOINTS
from tests.conftest import ROOT
from tests.support.moving_figure import frames, squats

PAGE = (ROOT / "docs" / "library.md").read_text("utf-8")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "biomech").rglob("*.py")
)
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
GUARD = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tests.support.numpy_and_scipy_alone\n"
)
MEDIAPIPE = {  # of the landmarks' own names
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8, "left_shoulder": 11,
    "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14, "left_wrist": 15, "right_wrist": 16,
    "left_hip": 23, "right_hip": 24, "left_knee": 25, "right_knee": 26, "left_ankle": 27,
    "right_ankle": 28,
}  # fmt: skip
OPENPOSE = {
    "nose": 0, "right_shoulder": 2, "right_elbow": 3, "right_wrist": 4, "left_shoulder": 5,
    "left_elbow": 6, "left_wrist": 7, "right_hip": 9, "right_knee": 10, "right_ankle": 11,
    "left_hip": 12, "left_knee": 13, "left_ankle": 14, "right_eye": 15, "left_eye": 16,
    "right_ear": 17, "left_ear": 18,
}  # fmt: skip


def alone(program, folder):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", GUARD + program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    """The files that the page starts from: two squats from the side, 60 frames a second."""
    motion = squats(frames(4.0, 60.0), [0.5, 2.3])
    xy = motion.xy.round(3)
    score = np.full(xy.shape[:2], 0.9)
    np.savez(tmp_path / "squat.npz", xy=xy, score=score)
    landmarks, points = np.zeros((len(xy), 33, 2)), np.zeros((len(xy), 25, 3))
    for i, name in enumerate(KEYPOINTS):
        landmarks[:, MEDIAPIPE[name]] = xy[:, i] / 640
        points[:, OPENPOSE[name]] = np.insert(xy[:, i], 2, 0.9, axis=1)
    np.save(tmp_path / "mediapipe.npy", landmarks)
    np.save(tmp_path / "openpose.npy", points)
    names = ["time_s", *(f"{k}_{part}" for k in KEYPOINTS for part in ("x", "y", "score"))]
    whole = np.concatenate([xy, score[..., None]], axis=2).reshape(len(xy), -1)
    table = np.column_stack([motion.times_s, whole])
    np.savetxt(tmp_path / "squat.csv", table, "%.9f", ",", header=",".join(names), comments="")
    entries = [
        {"image_id": f, "category_id": 1, "keypoints": row, "score": 0.9}
        for f, row in enumerate(whole.tolist())
    ]
    (tmp_path / "squat.json").write_text(json.dumps(entries))
    biomech.analyze(biomech.Track.from_coco(xy, score, fps=60)).write_trc(tmp_path / "squat.trc")
    return tmp_path


def test_the_guard_lets_nothing_else_in(tmp_path):
    done = alone("import pydantic", tmp_path)
    assert "No module named 'pydantic'" in done.stderr


def test_every_module_needs_numpy_and_scipy_alone(tmp_path):
    assert "biomech.files.importers" in MODULES
    program = f"from importlib import import_module\nfor m in {MODULES}: import_module(m)"
    done = alone(program, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_names_are_public_and_the_skeleton_needs_no_numpy(tmp_path):
    program = (
        "import biomech, biomech.skeleton; assert 'numpy' not in sys.modules;"
        "print({n for n in biomech.__all__ if getattr(biomech, n)} - {*dir(biomech)})"
    )
    assert alone(program, tmp_path).stdout == "set()\n"
    assert (ROOT / "biomech" / "py.typed").exists()
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        biomech.analyse  # noqa: B018


def test_the_page_runs(folder):
    """Four lines, importers, numbers and writers, as they stand on the page."""
    assert len(BLOCKS) == 4
    told = "\nprint(len(clip.times_s), result.repetitions[0].number, len(result.repetitions))"
    done = alone("\n".join(BLOCKS) + told, folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n240 1 2\n")
    assert (folder / "squat_smooth.trc").read_text().startswith("PathFileType")
    assert "knee_angle_r" in (folder / "squat_opensim.mot").read_text()


def test_four_lines_are_enough():
    lines = re.findall(r"^(?:import biomech|clip =|result =|knee =).*", BLOCKS[0], re.MULTILINE)
    assert len(lines) == 4


def test_importers_give_the_same_points(folder):
    saved = np.load(folder / "squat.npz")
    tracks = {
        "coco": biomech.Track.from_coco(saved["xy"], saved["score"], fps=60),
        "csv": biomech.read_csv(folder / "squat.csv"),
        "json": biomech.read_coco(folder / "squat.json", fps=60),
        "openpose": biomech.Track.from_openpose(np.load(folder / "openpose.npy"), fps=60),
        "mediapipe": biomech.Track.from_mediapipe(
            np.load(folder / "mediapipe.npy"), np.full((240, 33), 0.9), size=(640, 640), fps=60
        ),
    }
    for name, track in tracks.items():
        assert track.xy == pytest.approx(saved["xy"], abs=1e-9, nan_ok=True), name
        assert track.score == pytest.approx(tracks["coco"].score), name
        assert track.times_s == pytest.approx(np.arange(240) / 60, abs=1e-8), name


@pytest.mark.parametrize(
    "module", [m for m in MODULES if ">>>" in (import_module(m).__doc__ or "")] + ["biomech.track"]
)
def test_examples_come_out_as_printed(module):
    found = doctest.testmod(import_module(module))
    assert found.attempted > 0
    assert found.failed == 0
