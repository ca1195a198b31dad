"""OpenSim's files by a small reader that follows OpenSim 4's own rules."""

import json
from functools import cache

import numpy as np
import pytest

from biomech.config import Camera, Context, Subject
from biomech.files.markers import MARKERS
from biomech.skeleton import INDEX
from deployments.errors import BadParameterError
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from tests.support.saved_results import RATE, edited, height_of, saved, squatting
from tests.support.sports2d_files import read_angles, read_points
from tests.support.stick_figure import FIGURE, rotated, without

KEYS = (
    "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames"
)


def tokens(line):
    """As OpenSim splits a line: what follows the last tab counts only if there is something."""
    parts = line.split("\t")
    return parts if parts[-1] else parts[:-1]


def read_trc(text):
    """(header values by key, times, points (g, markers, 3)); strict as TRCFileAdapter is."""
    lines = text.split("\n")
    assert lines[0].split()[0] == "PathFileType"
    assert tokens(lines[1]) == KEYS.split()
    header = dict(zip(tokens(lines[1]), tokens(lines[2]), strict=True))
    names = [cell for cell in tokens(lines[3]) if cell]
    assert names[:2] == ["Frame#", "Time"]
    count = int(header["NumMarkers"])
    assert tuple(names[2:]) == MARKERS
    axes = [cell for cell in tokens(lines[4]) if cell]
    assert axes == [f"{axis}{i}" for i in range(1, count + 1) for axis in "XYZ"]
    assert lines[5] == ""
    rows = [tokens(line) for line in lines[6 : lines.index("", 6)]]
    assert {len(row) for row in rows} == {2 + 3 * count}
    assert len(rows) == int(header["NumFrames"])
    points = [[float(cell) if cell else np.nan for cell in row[2:]] for row in rows]
    times = np.array([float(row[1]) for row in rows])
    return header, times, np.array(points).reshape(len(rows), count, 3)


@cache
def exported(body, kind, **options):
    made = export(read_result(body), kind, ExportOptions(**options))
    return made, b"".join(made.pieces).decode()


def test_points_are_in_metres_with_y_up_from_the_floor(squat):
    made, text = exported(squat, "trc")
    assert made.suffix == ".person1.trc"
    header, times, points = read_trc(text)
    assert (header["Units"], float(header["DataRate"])) == ("m", RATE)
    assert times == pytest.approx(np.arange(90) / RATE, abs=1e-6)
    scale = 1.8 / json.loads(squat)["data"]["biomechanics_summary"][0]["stature_px"]
    xy = squatting()
    hip = xy[:, [INDEX["left_hip"], INDEX["right_hip"]]].mean(1)
    floor = xy[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 1].max()
    middle = slice(15, 75)  # the filter rounds the ends a little
    for name, keypoint in (("LKnee", "left_knee"), ("RAnkle", "right_ankle"), ("Nose", "nose")):
        wanted = (xy[:, INDEX[keypoint]] - [hip[0, 0], floor]) * [scale, -scale]
        found = points[:, MARKERS.index(name)]
        assert found[middle, :2] == pytest.approx(wanted[middle], abs=0.004)
        assert (found[:, 2] == 0).all()
    assert np.nanmin(points[..., 1]) == pytest.approx(0, abs=1e-6)
    assert 1.2 < points[0, MARKERS.index("Nose"), 1] < 1.8


THROW = Context("throw", subject=Subject(height_m=1.8))


@pytest.mark.parametrize("rate", [30, 59.94, 60, 120, 240])
def test_times_in_milliseconds_give_a_row_a_frame_at_the_true_rate(rate):
    """As WebM and MKV have them."""
    frames = np.arange(90)
    body = saved(squatting(frames), times_s=np.round(frames / rate, 3), context=THROW)
    header, times, points = read_trc(exported(body, "trc")[1])
    assert (header["NumFrames"], len(times)) == ("90", 90)
    assert float(header["DataRate"]) == pytest.approx(rate, rel=2e-3 / times[-1])
    even = read_trc(exported(saved(squatting(frames), context=height_of(1.8)), "trc")[1])[2]
    assert np.array_equal(np.isnan(points), np.isnan(even))
    assert ("low_frame_rate" in body.decode()) == (rate < 59)  # of a throw


def test_a_point_that_is_missing_is_blank_and_a_midpoint_needs_both_sides(squat):
    points = read_trc(exported(squat, "trc")[1])[2]
    assert np.isnan(points[:, MARKERS.index("LWrist")]).all()
    hips = points[:, [MARKERS.index("LHip"), MARKERS.index("RHip")]]
    assert points[:, MARKERS.index("Hip")] == pytest.approx(hips.mean(1), abs=1e-6)
    body = saved(without(squatting(), "right_shoulder"), context=height_of(1.8))
    points = read_trc(exported(body, "trc")[1])[2]  # Neck is last, and blank: the rows still fit
    assert np.isnan(points[:, MARKERS.index("Neck")]).all()


def test_without_a_height_there_are_pixels_of_the_picture_and_the_name_says_so(
    squat_of_unknown_height, tmp_path
):
    made, text = exported(squat_of_unknown_height, "trc")
    assert made.suffix == ".person1_px.trc"
    assert "not for OpenSim" in made.notes[0]
    header, _, points = read_trc(text)
    assert header["Units"] == "px"
    wanted = squatting()[:, INDEX["left_knee"]]
    found = points[15:75, MARKERS.index("LKnee"), :2]
    assert found == pytest.approx(wanted[15:75], abs=0.7)
    path = tmp_path / "points.trc"
    path.write_text(text)
    assert read_points(path)[15:75, INDEX["left_knee"]] == pytest.approx(found)


def test_a_height_given_with_the_export_counts(squat_of_unknown_height):
    made, text = exported(squat_of_unknown_height, "trc", height_m=1.8)
    assert made.suffix == ".person1.trc"
    taller = read_trc(exported(squat_of_unknown_height, "trc", height_m=2.4)[1])[2]
    assert taller == pytest.approx(read_trc(text)[2] * 4 / 3, abs=2e-6)


def test_where_the_apparent_size_drifts_there_are_no_metres(squat):
    body = edited(
        squat, lambda d: d["data"]["biomechanics_summary"][0].update(flags=["scale_drift"])
    )
    made, text = exported(body, "trc")
    assert made.suffix == ".person1_px.trc"
    assert "scale_drift" in made.notes[0]
    assert read_trc(text)[0]["Units"] == "px"


def test_a_camera_that_is_rolled_is_levelled_in_metres_and_left_alone_in_pixels(squat):
    level = squatting()
    rolled = rotated(level, 10.0, about=(319.5, 319.5))
    context = Context(subject=Subject(height_m=1.8), camera=Camera(roll_deg=10.0))
    body = saved(rolled, context=context)
    metres = read_trc(exported(body, "trc")[1])[2]
    straight = read_trc(exported(saved(level, context=height_of(1.8)), "trc")[1])[2]
    assert metres == pytest.approx(straight, abs=1e-3)
    pixels = edited(body, lambda d: d["data"]["biomechanics_summary"][0].update(height_m=None))
    found = read_trc(exported(pixels, "trc")[1])[2][15:75, MARKERS.index("LHip"), :2]
    assert found == pytest.approx(rolled[15:75, INDEX["left_hip"]], abs=0.7)


def test_uneven_frames_are_brought_to_one_rate():
    frames = np.delete(np.arange(90), [20, 41, 42, 66]) + 0.2 * np.sin(np.arange(86))
    body = saved(squatting(frames), times_s=frames / RATE)
    header, times, points = read_trc(exported(body, "trc")[1])
    assert np.diff(times) == pytest.approx(1 / float(header["DataRate"]), abs=2e-6)
    assert float(header["DataRate"]) == pytest.approx(RATE, rel=0.05)
    wanted = squatting(times * RATE)[:, INDEX["left_knee"]]
    found = points[:, MARKERS.index("LKnee"), :2]
    assert found[12:-12] == pytest.approx(wanted[12:-12], abs=1.0)


def test_angles_are_those_of_the_response_at_their_times(squat, tmp_path):
    path = tmp_path / "angles.mot"
    made, text = exported(squat, "mot")
    path.write_text(text)
    assert made.suffix == ".person1.mot"
    assert "inDegrees=yes" in text.split("endheader")[0].split("\n")
    columns = read_angles(path)
    assert f"nColumns={len(columns)}\n" in text
    assert f"nRows={len(columns['time'])}\n" in text
    frames = json.loads(squat)["data"]["poses_per_frame"]
    signed = [frame["biomechanics"]["detail"]["signed"] for frame in frames]
    assert columns.keys() == {"time"} | {
        f"{name}_2d" for name in signed[0] if name != "left_elbow_flexion"
    }
    for name in columns.keys() - {"time"}:
        assert columns[name].tolist() == [row[name.removesuffix("_2d")] for row in signed]


@pytest.mark.parametrize(
    ("with_hip", "names"),
    [
        (False, {"knee_angle_r", "knee_angle_l", "arm_flex_r", "arm_flex_l", "elbow_flex_r"}),
        (
            True,
            {"knee_angle_r", "knee_angle_l", "arm_flex_r", "arm_flex_l", "elbow_flex_r"}
            | {"hip_flexion_r", "hip_flexion_l"},
        ),
    ],
)
def test_opensims_coordinates_are_flexions_and_hips_come_on_request(
    squat, tmp_path, with_hip, names
):
    path = tmp_path / "angles.mot"
    path.write_text(exported(squat, "mot", profile="opensim", with_hip=with_hip)[1])
    columns = read_angles(path)
    assert columns.keys() == {"time"} | names
    assert columns["knee_angle_r"].max() == pytest.approx(100, abs=3)
    assert columns["arm_flex_l"].max() == pytest.approx(50, abs=3)


def test_angles_that_are_not_known_are_nan_and_a_file_begins_where_the_first_is():
    xy = squatting()
    xy[:10] = xy[80:] = xy[40:52] = np.nan
    text = exported(saved(xy), "mot")[1]
    rows = [line.split("\t") for line in text.split("endheader\n")[1].split("\n")[1:-1]]
    assert len(rows) == 70
    assert float(rows[0][0]) == pytest.approx(10 / RATE, abs=1e-6)
    assert set(rows[35][1:]) == {"NaN"}
    assert "NaN" not in rows[0]


@pytest.mark.parametrize(
    ("points", "kind", "options", "says"),
    [
        (FIGURE[None], "trc", {}, "single picture"),
        (FIGURE[None], "mot", {}, "single picture"),
        (np.tile(FIGURE, (20, 1, 1)), "mot", {"profile": "opensim"}, "not seen from the side"),
        (FIGURE[None], "trc", {"person": 4}, "no person 4 in this result; there is 1"),
        (np.full((5, 17, 2), np.nan), "trc", {}, "nobody was found"),
    ],
    ids=["one-picture", "one-picture-angles", "frontal", "nobody-of-that-number", "nobody"],
)
def test_what_cannot_be_written_is_refused_with_the_reason(points, kind, options, says):
    with pytest.raises(BadParameterError, match=says):
        export(read_result(saved(points)), kind, ExportOptions(**options))


def test_frames_in_bunches_have_no_rate(squat):
    def bunch(document):
        document["data"]["poses_per_frame"][-1]["frame_info"]["timestamp"] = 9e5

    with pytest.raises(BadParameterError, match="too unevenly spread"):
        exported(edited(squat, bunch), "trc")
