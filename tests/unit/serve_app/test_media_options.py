"""Options on the media of a request, from the field to the response and the annotated video."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from biomech.skeleton import INDEX
from deployments.errors import BadParameterError
from deployments.media_choice import MediaOptions, Region
from serve_app.cli.analyze import Formats, analyze_one
from serve_app.client import PoseClient
from serve_app.export.saved_clip import read_result
from serve_app.report.key_pictures import key_frames
from serve_app.results.response_schema import PoseOptions
from serve_app.results.validation import parse_options
from tests.conftest import SQUAT_FRAMES
from tests.support.loopback_server import Server, reply
from tests.support.markers import draw, squat
from tests.support.stills import still

SAID = {
    "start": 1.0,
    "end": 2.0,
    "max_fps": 15,
    "region": {"x": 3, "y": 4, "width": 101, "height": 50},
    "rotation": 90,
}
KEY_FRAME = 15  # of the squat video, every so many frames


def ask(http, path, **options):
    form = {n: json.dumps(v) if isinstance(v, dict) else str(v) for n, v in options.items()}
    answer = http.post("/pose", files={"file": Path(path).read_bytes()}, data=form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(http, path, **options):
    form = {n: json.dumps(v) if isinstance(v, dict) else str(v) for n, v in options.items()}
    answer = http.post("/pose", files={"file": Path(path).read_bytes()}, data=form)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_parameter")
    return answer.json()


def points(document):
    return [frame["keypoints"] for frame in document["data"]["poses_per_frame"]]


def infos(document):
    return [frame["frame_info"] for frame in document["data"]["poses_per_frame"]]


def codes(document):
    return {warning["code"] for warning in document["warnings"]}


@pytest.fixture(scope="module")
def cut_video(squat_video, tmp_path_factory):
    """The packets of the squat video from its third key frame on: a lossless cut."""
    path = tmp_path_factory.mktemp("cut") / "cut.mp4"
    with av.open(str(squat_video)) as source, av.open(str(path), "w") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        packets = [p for p in source.demux(stream) if p.size]
        first = [p for p in packets if p.is_keyframe][2]
        zero = first.pts
        for packet in packets[packets.index(first) :]:
            packet.pts, packet.dts = packet.pts - zero, packet.dts - zero
            packet.stream = copy
            out.mux(packet)
    return path


def test_fields_are_the_same_in_json_and_in_forms():
    form = {n: json.dumps(v) if isinstance(v, dict) else str(v) for n, v in SAID.items()}
    for options in (parse_options(PoseOptions, SAID), parse_options(PoseOptions, form)):
        assert options.media == MediaOptions(1.0, 2.0, 15.0, 90)
        assert options.detection_region == Region(2, 4, 102, 50)
    assert PoseOptions().media == MediaOptions()
    assert PoseOptions().detection_region is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((name, value) for name in ("start", "end") for value in (-1, 1e9, True, "nan", "soon")),
        *(("start", float(v)) for v in ("nan", "inf", "-inf")),
        *(("max_fps", value) for value in (0, -30, 1e9, float("nan"), float("inf"), False)),
        *(
            ("rotation", value)
            for value in (45, -90, 360, True, False, "right", 90.5, float("nan"))
        ),
        ("region", {"x": 0, "y": 0, "width": 64}),
        ("region", {"x": -1, "y": 0, "width": 64, "height": 64}),
        ("region", {"x": 0, "y": 0, "width": 0, "height": 64}),
        ("region", {"x": 0.5, "y": 0, "width": 64, "height": 64}),
        ("region", {"x": True, "y": 0, "width": 64, "height": 64}),
        ("region", {"x": 10**30, "y": 0, "width": 64, "height": 64}),
        ("region", [0, 0, 64, 64]),
        ("region", "all"),
    ],
)
def test_wrong_values_are_refused_by_their_name(field, value):
    with pytest.raises(BadParameterError, match=rf"{field}\b"):
        parse_options(PoseOptions, {field: value})


def test_a_part_is_analyzed_as_a_file_cut_there(http, squat_video, cut_video):
    start = 2 * KEY_FRAME / 30
    part = ask(http, squat_video, video="false", start=start)
    file = ask(http, cut_video, video="false")

    assert points(part) == points(file)
    assert [f["frame_number"] for f in infos(part)] == list(range(2 * KEY_FRAME, SQUAT_FRAMES))
    times = [f["timestamp"] for f in infos(part)]
    assert times == pytest.approx([f["timestamp"] + start for f in infos(file)], abs=2e-6)
    angles = [
        [
            frame["biomechanics"]["joint_angles"]["left_knee"]
            for frame in d["data"]["poses_per_frame"]
        ]
        for d in (part, file)
    ]
    assert angles[0] == pytest.approx(angles[1], abs=1e-6)
    reps = [d["data"]["biomechanics_summary"][0]["reps"] for d in (part, file)]
    assert len(reps[0]) == len(reps[1]) > 0
    for mine, theirs in zip(*reps, strict=True):
        assert mine["frames"] == [f + 2 * KEY_FRAME for f in theirs["frames"]]
        assert mine["t_peak_s"] == pytest.approx(theirs["t_peak_s"] + start, abs=2e-3)


def test_a_part_is_a_stretch_of_the_whole_analysis(http, squat_video):
    """Which detection frames there are is the same: it begins on one."""
    whole = ask(http, squat_video, video="false")
    part = ask(http, squat_video, video="false", start=24 / 30, end=57 / 30)

    assert points(part) == points(whole)[24:57]
    assert infos(part) == infos(whole)[24:57]
    summary = part["data"]["processing_summary"]
    assert summary["total_frames"] == 33
    assert summary["video_info"]["duration_s"] == pytest.approx(1.1, abs=1e-3)
    assert summary["video_info"]["part"] == {
        "first_frame": 24,
        "last_frame": 56,
        "start_s": 0.8,
        "end_s": 1.866667,
        "max_fps": None,
        "file_frames": SQUAT_FRAMES,
        "file_duration_s": 3.2,
    }
    assert codes(part) - codes(whole) == {"part_analyzed"}
    assert "part" not in whole["data"]["processing_summary"]["video_info"]


def test_a_range_outside_the_video_is_refused_with_its_duration(http, squat_video):
    for options in ({"start": 5}, {"start": 2, "end": 1}, {"end": 9}, {"start": 1, "end": 1}):
        problem = refused(http, squat_video, **options)
        assert "the video lasts 3.2 s" in problem["detail"]
        assert problem["duration_s"] == 3.2


@pytest.mark.parametrize("segment_s", [0.5, 600.0])
def test_frames_above_a_rate_are_not_analyzed(http, service, squat_video, monkeypatch, segment_s):
    monkeypatch.setattr(
        service, "settings", service.settings.model_copy(update={"segment_s": segment_s})
    )
    document = ask(http, squat_video, video="true", max_fps=10, start=0.5)

    numbers = [f["frame_number"] for f in infos(document)]
    assert numbers == list(range(15, SQUAT_FRAMES, 3))
    assert document["data"]["processing_summary"]["video_info"]["fps"] == 10
    assert codes(document) >= {"frames_skipped", "part_analyzed"}
    assert "54 of 81" in next(
        w["detail"] for w in document["warnings"] if w["code"] == "frames_skipped"
    )
    name = document["video_url"].rpartition("/")[2]
    with av.open(str(Path(service.settings.output) / name)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert times == pytest.approx(np.arange(27) / 10, abs=1e-3)
    result = read_result(json.dumps(document).encode())
    video = Path(service.settings.output) / name
    assert len(key_frames(result, result.person(), (), video)) == 6
    result = read_result(json.dumps(_without_a_frame(document)).encode())
    with pytest.raises(BadParameterError, match="some frames"):
        key_frames(result, result.person(), (), video)


def _without_a_frame(document):
    data = document["data"]
    return {**document, "data": {**data, "poses_per_frame": data["poses_per_frame"][1:]}}


def test_people_are_detected_in_the_region_alone(http, squat_video):
    whole = ask(http, squat_video, video="false", end=0.5)
    everything = {"x": 0, "y": 0, "width": 480, "height": 640}
    same = ask(http, squat_video, video="false", end=0.5, region=everything)
    corner = {"x": 0, "y": 0, "width": 60, "height": 60}
    nobody = ask(http, squat_video, video="false", end=0.5, region=corner)
    box = whole["data"]["poses_per_frame"][0]["pose"]["box"]
    around = {
        "x": max(int(box["x1"]) - 21, 0),
        "y": max(int(box["y1"]) - 21, 0),
        "width": int(box["x2"] - box["x1"]) + 42,
        "height": int(box["y2"] - box["y1"]) + 42,
    }
    found = ask(http, squat_video, video="false", end=0.5, region=around)

    assert points(same) == points(whole)
    assert "nobody_found" in codes(nobody)
    for mine, theirs in zip(points(found), points(whole), strict=True):
        for name, point in theirs.items():
            assert mine[name]["x"] == pytest.approx(point["x"], abs=3)
            assert mine[name]["y"] == pytest.approx(point["y"], abs=3)


def test_a_region_beyond_the_picture_is_refused_with_its_size(http, squat_video):
    region = {"x": 400, "y": 0, "width": 100, "height": 100}
    problem = refused(http, squat_video, region=region)
    assert "480x640" in problem["detail"]
    assert problem["field"] == "region"
    # Upright, it is as wide as it was high.
    assert ask(http, squat_video, video="false", end=0.2, region=region, rotation=90)


def test_the_client_sends_them(http, squat_video):
    with PoseClient("http://test", transport=http._transport) as client:
        answer = client.analyze(squat_video, video=False, start=0.5, end=1.0, rotation=180)
    info = answer.data.processing_summary.video_info
    assert (info.part.first_frame, info.part.last_frame, info.rotation_deg) == (15, 29, 180)


@pytest.fixture(scope="module")
def photo():
    """The first picture of the squat video."""
    return draw(squat(1)[0], (480, 640))[..., ::-1]


@pytest.mark.parametrize(("kind", "orientation"), [("JPEG", 6), ("PNG", None), ("WEBP", None)])
def test_a_photo_is_analyzed_as_a_video_of_one_frame(
    http, service, photo, tmp_path, kind, orientation
):
    path = tmp_path / "photo"
    path.write_bytes(still(photo, kind, orientation))
    document = ask(http, path, people="all")

    (frame,) = document["data"]["poses_per_frame"]
    knee = squat(1)[0][INDEX["left_knee"]].tolist()
    found = frame["keypoints"]["left_knee"]
    assert (found["x"], found["y"]) == pytest.approx(knee, abs=4)
    assert frame["biomechanics"]["joint_angles"]["left_knee"] is not None
    assert frame["frame_info"]["timestamp"] == 0
    summary = document["data"]["processing_summary"]["video_info"]
    assert (summary["container"], summary["fps"], summary["duration_s"]) == (kind.lower(), 0, 0)
    person = document["data"]["biomechanics_summary"][0]
    assert (person["reps"], person["reps_reason"]) == ([], "insufficient_history")
    video = Path(service.settings.output) / document["video_url"].rpartition("/")[2]
    with av.open(str(video)) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(480, 640)]


def test_a_photo_of_a_url_and_of_a_file_is_analyzed_too(service, photo, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(still(photo, "JPEG"))
    out = tmp_path / "out"
    out.mkdir()
    response = analyze_one(service, str(path), PoseOptions(video=False), out / "photo", Formats())
    with Server(reply(path.read_bytes())) as server:
        again = analyze_one(service, server.url(), PoseOptions(video=False), out / "u", Formats())
    assert response.data.poses_per_frame[0].keypoints is not None
    assert again.data.poses_per_frame == response.data.poses_per_frame
