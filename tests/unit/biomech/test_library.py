"""The library's own surface: equal to the service, levels of intervals, importers, writers."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import biomech
from biomech.config import Context, Subject
from biomech.skeleton import INDEX
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from tests.support.moving_figure import frames, squats
from tests.support.plain import plain
from tests.support.saved_results import RATE, SIGMA, SIZE, saved, squatting
from tests.support.sports2d_tracks import read_tracks
from tests.support.stick_figure import FIGURE, without

SQUAT = Context("squat", subject=Subject(height_m=1.75))


@pytest.fixture(scope="module")
def document():
    """The service's response of 90 frames."""
    return saved(without(squatting(), "left_wrist"), context=SQUAT)


@pytest.fixture(scope="module")
def result():
    """The library's analysis of the same keypoints."""
    xy = without(squatting(), "left_wrist").astype(np.float32)
    score = np.where(np.isfinite(xy[..., 0]), np.float32(0.9), 0.0)
    clip = biomech.Track.from_coco(xy, score, fps=RATE, size=SIZE, sigma_px=SIGMA)
    return biomech.analyze(clip, movement="squat", height_m=1.75)


def known(value):
    """JSON without nulls and what is empty, which the response has in place of absent names."""
    if isinstance(value, dict):
        return {name: known(v) for name, v in value.items() if v not in (None, [], {})}
    return [known(v) for v in value] if isinstance(value, list | tuple) else value


def test_numbers_are_the_services(document, result):
    """U17: the same keypoints give the same numbers, in every frame and in the summary."""
    data = json.loads(document)["data"]
    told = data["biomechanics_summary"][0]
    assert known(plain(result.summary) | {"model": told["model"]}) == known(told)
    blocks = result.frames()
    for ours, frame in zip(blocks, data["poses_per_frame"], strict=True):
        assert plain(ours) == frame["biomechanics"]
    assert plain(result.repetitions) == told["reps"] != []
    assert (result.view, result.gait, result.jumps) == (told["view"], None, told["jumps"])
    assert plain(result.cautions) == told["quality"]


def points_in_files(document, tmp_path, height_m):
    """The `.trc` file of the library and of the export, of the points in the response."""
    read = read_result(document)
    made = b"".join(export(read, "trc", ExportOptions()).pieces).decode()
    path = tmp_path / made.split("\n")[0].split("\t")[-1]
    biomech.analyze(read.track(read.person()), "squat", height_m=height_m).write_trc(path)
    return path.read_text(), made


def test_pixels_in_a_file_are_those_of_the_export(tmp_path):
    """One writer: byte for byte."""
    found, wanted = points_in_files(saved(squatting(), context=Context("squat")), tmp_path, None)
    assert "\tpx\t" in found
    assert found == wanted


def test_metres_in_a_file_are_those_of_the_export(document, tmp_path):
    """But for the stature, which the response has of points before they were rounded."""
    found, wanted = (t.splitlines() for t in points_in_files(document, tmp_path, 1.75))
    assert found[:6] == wanted[:6]
    ours, theirs = (
        np.array([[cell or "nan" for cell in line.split("\t")] for line in lines[6:]], float)
        for lines in (found, wanted)
    )
    assert ours == pytest.approx(theirs, abs=1e-4, nan_ok=True)


@pytest.mark.parametrize(
    "options", [{}, {"profile": "opensim"}, {"profile": "opensim", "with_hip": True}]
)
def test_angles_in_a_file_are_those_of_the_export(document, result, tmp_path, options):
    """The response rounds angles to three decimals; names, times and rows are the same."""
    result.write_mot(tmp_path / "a.mot", **options)
    found = (tmp_path / "a.mot").read_text().splitlines()
    body = b"".join(export(read_result(document), "mot", ExportOptions(**options)).pieces)
    wanted = body.decode().splitlines()
    assert found[:9] == wanted[:9]
    ours, theirs = (
        np.array([line.split("\t") for line in lines[9:]], float) for lines in (found, wanted)
    )
    assert ours == pytest.approx(theirs, abs=5.1e-4, nan_ok=True)


def test_points_come_back_from_the_file_that_was_written(result, tmp_path):
    result.write_trc(tmp_path / "squat.trc")
    again = biomech.analyze(biomech.read_trc(tmp_path / "squat.trc"), "squat")
    knee = INDEX["left_knee"]
    middle = slice(10, 80)
    there = again.metrics.points.track.xy
    assert np.ptp(there[:, knee, 1]) > 0
    assert again.angles["left_knee"].value[middle] == pytest.approx(
        result.angles["left_knee"].value[middle], abs=1.0
    )
    assert np.isnan(there[:, INDEX["left_wrist"]]).all()
    assert "truncated" not in [caution["code"] for caution in again.cautions]


def test_lengths_have_y_up_and_a_pixel_a_millimetre(tmp_path):
    header = "PathFileType\t4\nDataRate\tUnits\n10\tm\nFrame#\tTime\tLHip\t\t\tlknee\t\t\tHeel"
    rows = "1\t0.0\t0.1\t0.9\t0\t0.1\t0.5\t0\t1\t1\t1\n2\t0.1\t0.2\t0.9\t0"
    (tmp_path / "a.trc").write_text(f"{header}\n\tX1\n{rows}\n")
    track = biomech.read_trc(tmp_path / "a.trc")
    hip, knee = track.xy[:, INDEX["left_hip"]], track.xy[:, INDEX["left_knee"]]
    assert knee[0] - hip[0] == pytest.approx([0.0, 400.0])
    assert hip[1] - hip[0] == pytest.approx([100.0, 0.0])
    assert np.isnan(knee[1]).all()
    assert np.nanmin(track.xy) > 10


def sports2d_file(path, xy, times_s):
    """A file as Sports2D writes it: m in the header, also of pixels; no tab at the end of a row."""
    keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame"
    names = {"Nose": "nose"} | {
        f"{side[0].upper()}{part.capitalize()}": f"{side}_{part}"
        for side in ("right", "left")
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "eye", "ear")
    }
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path}",
        keys.replace(" ", "\t") + "\tOrigNumFrames",
        f"30\t30\t{len(xy)}\t{len(names)}\tm\t30\t0\t{len(xy)}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\t",
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(names) + 1)),
    ]
    for f, (time, points) in enumerate(zip(times_s.tolist(), xy, strict=True)):
        cells = [
            cell
            for keypoint in names.values()
            for x, y in [points[INDEX[keypoint]].tolist()]
            for cell in ([x, y, 0.0] if np.isfinite(x) else ["", "", ""])
        ]
        lines.append("\t".join(map(str, [f, time, *cells])))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("person", range(3))
def test_pixels_of_sports2d_are_read_as_pixels(person, tmp_path):
    """Its header has m; the points are its own of its video."""
    xy = read_tracks()[person].keypoints
    times_s = np.arange(len(xy)) / 30
    sports2d_file(tmp_path / "px.trc", xy, times_s)
    track = biomech.read_trc(tmp_path / "px.trc")
    assert track.xy == pytest.approx(xy, nan_ok=True)
    angles = biomech.analyze(track).angles
    ours = biomech.analyze(biomech.Track.from_coco(xy, times_s=times_s)).angles
    for name, angle in ours.items():
        assert angles[name].value == pytest.approx(angle.value, nan_ok=True), name
    tall = biomech.read_trc(tmp_path / "px.trc", unit="cm")
    assert np.nanstd(tall.xy[..., 1]) == pytest.approx(10 * np.nanstd(xy[..., 1]))


def test_an_interval_of_another_level_is_wider_or_narrower(result):
    knee = result.angles["left_knee"]
    half = {level: np.ptp(knee.interval(level), axis=1) / 2 for level in (0.68, 0.95, 0.99)}
    inside = (knee.value > 20) & (knee.value < 160)
    assert inside.any()
    assert knee.interval() == pytest.approx(knee.interval(0.95), nan_ok=True)
    assert half[0.95][inside] == pytest.approx(1.959964 * knee.sigma[inside], rel=1e-6)
    assert half[0.68][inside] == pytest.approx(0.994458 * knee.sigma[inside], rel=1e-5)
    assert half[0.99][inside] == pytest.approx(2.575829 * knee.sigma[inside], rel=1e-6)
    drawn = replace(knee, drawn=np.where(inside[:, None], [10.0, 20.0], np.nan))
    assert (drawn.interval()[inside] == [10, 20]).all()
    assert np.isnan(drawn.interval(0.9)[inside]).all()
    with pytest.raises(ValueError, match=r"level is 95, expected a share .* such as 0\.95"):
        knee.interval(95)


def test_a_value_that_is_missing_has_its_reason(result):
    elbow = result.angles["left_elbow"]
    assert np.isnan(elbow.value).all()
    assert set(elbow.reason) == {"low_confidence"}


def test_a_table_needs_pandas_and_arrays_do_not(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas, or take to_columns"):
        result.to_frame()
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    table = result.to_frame()
    assert table.keys() == result.to_columns().keys()
    assert {len(column) for column in table.values()} == {90}
    assert {"time_s", "left_knee", "left_knee_low", "trunk_lean", "symmetry_index"} <= set(table)
    low, high = table["left_knee_low"], table["left_knee_high"]
    assert (low <= table["left_knee"]).all()
    assert (table["left_knee"] <= high).all()


@pytest.mark.parametrize("points", [26, 133])
def test_larger_skeletons_begin_as_coco(points):
    xy = np.random.default_rng(0).uniform(0, 500, (4, points, 2))
    track = biomech.Track.from_coco(xy, np.full((4, points), 0.8), times_s=[0, 0.1, 0.2, 0.4])
    assert (track.xy == xy[:, :17]).all()
    assert track.score.shape == (4, 17)


def test_what_is_not_there_is_taken_from_the_points():
    xy = np.tile(FIGURE, (3, 1, 1))
    score = np.full((3, 17), 0.9)
    xy[0, 0], score[0, 0] = (5000.0, 5000.0), 0.1  # a stray guess is not of the person's box
    xy[1], score[1] = np.nan, np.nan
    track = biomech.Track.from_coco(xy, score, fps=30)
    assert track.box[0].tolist() == [230, 92, 460, 500]
    assert track.present.tolist() == [True, False, True]
    assert np.isnan(track.box[1]).all()
    assert track.size[0] > 5000
    assert np.isfinite(biomech.analyze(track).metrics.points.sigma[0]).all()


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"xy": np.zeros((5, 18, 2))}, r"shape \(5, 18, 2\), expected .* 17, 26, 133 keypoints"),
        ({"xy": np.zeros((17, 2))}, "Pick one person"),
        ({"score": np.zeros((5, 16))}, r"score has shape \(5, 16\), expected \(5, 17\)"),
        ({"fps": None}, "either fps or times_s"),
        ({"times_s": np.arange(5)}, "either fps or times_s"),
        ({"fps": 0}, "fps is 0, expected frames a second above 0"),
        ({"fps": None, "times_s": [0, 1, 1, 2, 3]}, "times_s do not ascend"),
        ({"box": np.zeros(4)}, r"box has shape \(4,\), expected \(5, 4\)"),
        ({"sigma_px": np.zeros((5, 17))}, r"sigma_px has shape \(5, 17\)"),
    ],
)
def test_an_array_that_is_not_as_said_is_named(keywords, told):
    given = {"xy": np.zeros((5, 17, 2)), "score": np.ones((5, 17)), "fps": 30} | keywords
    with pytest.raises(ValueError, match=told):
        biomech.Track.from_coco(**given)


def test_orders_of_other_tools_are_of_their_own_shapes():
    with pytest.raises(ValueError, match=r"landmarks has shape \(5, 17, 2\), expected .* 33"):
        biomech.Track.from_mediapipe(np.zeros((5, 17, 2)), size=(64, 48), fps=30)
    with pytest.raises(ValueError, match=r"expected \(frames, 25, 3\)"):
        biomech.Track.from_openpose(np.zeros((5, 25, 2)), fps=30)
    lost = biomech.Track.from_openpose(np.zeros((5, 25, 3)), fps=30)
    assert not lost.present.any()
    assert np.isnan(lost.xy).all()


BOX = [v for x, y in FIGURE for v in (x, y, 2)]
FILES = {
    "no.trc": ("hello", "is not a .trc file"),
    "unit.trc": ("PathFileType\nUnits\nfurlong\nFrame#\n\n1\t0", "Units of .* are 'furlong'"),
    "points.trc": ("PathFileType\nUnits\nm\nFrame#\tTime\tHeel\n\n1\t0\t1", "0 known keypoints"),
    "empty.csv": ("", "no column time_s"),
    "points.csv": ("time_s,knee_x\n0,1", "0 known keypoints in 1 frames"),
    "word.csv": ("time_s,nose_x,nose_y\n0,1,left", "row 1 of the table has 'left'"),
    "time.csv": ("time_s,nose_x,nose_y\n0,1,1\n0,1,1", "do not ascend"),
    "json.json": ("{", "is not COCO's keypoints"),
    "other.json": ('{"images": []}', "is not COCO's keypoints: KeyError"),
    "none.json": ("[]", "0 entries in 0 frames"),
    "two.json": (json.dumps([{"image_id": 1, "keypoints": BOX}] * 2), "2 entries in 1 frames"),
    "photos.json": (
        json.dumps([{"image_id": i, "keypoints": BOX} for i in (139, 581_781)]),
        "581643 numbers for 2 pictures",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_as_said_is_refused_with_the_remedy(name, tmp_path):
    content, told = FILES[name]
    (tmp_path / name).write_text(content)
    read = {"trc": biomech.read_trc, "csv": biomech.read_csv}.get(name[-3:])
    with pytest.raises(biomech.FileError, match=told) as caught:
        read(tmp_path / name) if read else biomech.read_coco(tmp_path / name, fps=30)
    assert caught.value.hint
    assert str(caught.value).endswith(caught.value.hint)


def test_annotations_have_visibilities_and_frames_between_are_empty(tmp_path):
    seen = [v if i != 5 else 0 for i, v in enumerate(BOX)]  # the left eye's visibility
    content = {
        "images": [{"id": i, "width": 640, "height": 480} for i in (10, 12)],
        "annotations": [{"image_id": i, "keypoints": seen} for i in (12, 10)],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    track = biomech.read_coco(tmp_path / "a.json", fps=10)
    assert (track.size, track.present.tolist()) == ((640, 480), [True, False, True])
    assert np.isnan(track.xy[0, INDEX["left_eye"]]).all()
    assert (track.xy[2, 0] == FIGURE[0]).all()
    assert track.score[0].tolist() == [1, 0, *[1] * 15]


def test_a_table_may_lack_scores_and_keypoints(tmp_path):
    (tmp_path / "a.csv").write_text(
        "note,nose_y,nose_x,time_s,left_hip_x\nfirst,2,1,0,5\n\n,,,0.1,\nshort,4,3,0.2\n"
    )
    track = biomech.read_csv(tmp_path / "a.csv", size=(640, 480))
    assert track.xy[:, 0] == pytest.approx(np.array([[1, 2], [np.nan] * 2, [3, 4]]), nan_ok=True)
    assert np.isnan(track.xy[:, 1:]).all()
    assert track.score[:, 0].tolist() == [1, 0, 1]
    assert track.present.tolist() == [True, False, True]


def test_arguments_are_those_of_the_service():
    clip = biomech.Track.from_coco(squats(frames(3.0, 60.0), [0.5]).xy, fps=60)
    result = biomech.analyze(
        clip, sex="female", involved_side="left", roll_deg=2.0, cutoff_hz=4.0, min_score=0.5
    )
    summary = plain(result.summary)
    assert (summary["filter"]["cutoff_hz"], summary["camera"]["roll_deg"]) == (4.0, 2.0)
    assert (summary["config"]["min_score"], summary["length_unit"]) == (0.5, "stature")
    assert result.metrics.subject == Subject(None, "female", "left")
    with pytest.raises(ValueError, match="movement is 'squats', must be one of"):
        biomech.analyze(clip, "squats")


def test_a_single_picture_has_angles_and_no_files(tmp_path):
    result = biomech.analyze(biomech.Track.from_coco(FIGURE[None], fps=30))
    assert result.angles["left_knee"].value == pytest.approx([171.427], abs=1e-3)
    assert result.repetitions == []
    with pytest.raises(biomech.FileError, match="a single picture has no frame rate"):
        result.write_trc(tmp_path / "a.trc")
