"""What a caller says of a clip: fields of the request, in JSON and in forms, to the last stage."""

import json
from dataclasses import asdict

import pytest

from biomech.config import Camera, Context, Subject
from deployments.athlete_choice import AthletePoint
from deployments.errors import AthleteNotFoundError, BadParameterError
from serve_app.client import PoseClient
from serve_app.results.response_schema import PoseOptions
from serve_app.results.validation import parse_options
from tests.conftest import SQUAT_FRAMES
from tests.support import markers

SAID = {
    "movement": "jump",
    "cutoff_hz": 8.0,
    "subject": {"height_m": 1.75, "sex": "female", "involved_side": "left"},
    "camera": {"roll_deg": -2.5, "slowmo_factor": 4.0},
}
CONTEXT = Context("jump", 8.0, Subject(1.75, "female", "left"), Camera(-2.5, 4.0))


def test_nothing_said_is_nothing_known():
    assert PoseOptions().context == Context()


def test_what_is_said_is_what_the_stage_is_told():
    assert parse_options(PoseOptions, SAID).context == CONTEXT
    assert parse_options(PoseOptions, json.dumps(SAID).encode()).context == CONTEXT


def test_a_form_says_objects_as_json():
    form = {
        name: json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in SAID.items()
    }
    assert parse_options(PoseOptions, form).context == CONTEXT


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("movement", "dance", "movement: "),
        ("cutoff_hz", 0, "cutoff_hz: "),
        ("cutoff_hz", float("nan"), "cutoff_hz: "),
        ("subject", {"height_m": 175}, "subject.height_m: "),
        ("subject", {"weight_kg": 70}, "subject.weight_kg: "),
        ("subject", {"sex": "f"}, "subject.sex: "),
        ("subject", {"involved_side": "both"}, "subject.involved_side: "),
        ("subject", "tall", "subject: .*must be a JSON object"),
        ("subject", "[1, 2]", "subject: "),
        ("camera", {"roll_deg": 91}, "camera.roll_deg: "),
        ("camera", {"slowmo_factor": 0}, "camera.slowmo_factor: "),
        ("people", 0, "people: must be primary, all or a whole number from 1 to 1000"),
        ("people", "2.5", "people: must be primary"),
        ("people", True, "people: "),
        ("athlete", "tallest", "athlete: must be one of prominent, largest, longest, center, or"),
        ("athlete", 2, "athlete: must be one of"),
        ("athlete", {"x": 1, "y": 2}, "athlete.*: give either frame or time"),
        ("athlete", {"x": 1, "y": 2, "frame": 0, "time": 0}, "athlete.*: give either frame or"),
        ("athlete", {"x": -1, "y": 2, "frame": 0}, "athlete.*x: "),
        ("athlete", '{"x": 1', "athlete: .*must be a JSON object"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(field, value, says):
    with pytest.raises(BadParameterError, match=says):
        parse_options(PoseOptions, {field: value})


@pytest.mark.parametrize(
    ("given", "shown", "rule"),
    [
        ({}, 1, "prominent"),
        ({"people": "1", "athlete": "largest"}, 1, "largest"),
        ({"people": "3"}, 3, "prominent"),
        ({"people": "all", "athlete": "center"}, None, "center"),
        ({"athlete": '{"x": 8, "y": 9.5, "frame": 4}'}, 1, AthletePoint(8, 9.5, 4)),
        ({"athlete": '{"x": 8, "y": 9.5, "time": 0.2}'}, 1, AthletePoint(8, 9.5, time_s=0.2)),
    ],
)
def test_a_form_says_who_is_analyzed(given, shown, rule):
    options = parse_options(PoseOptions, given)
    assert (options.people_in_frames, options.athlete_choice) == (shown, rule)


def test_the_athlete_at_a_point_is_analyzed_or_the_answer_names_who_is_there(http, squat_video):
    with PoseClient("http://test", transport=http._transport) as client:
        x, y = markers.squat(SQUAT_FRAMES)[10].mean(axis=0)
        point = {"x": float(x), "y": float(y), "frame": 10}
        answer = client.analyze(squat_video, video=False, people=2, athlete=point)
        primary = answer.data.processing_summary.primary_person
        assert (primary.track_id, primary.chosen_by) == (1, "point")
        with pytest.raises(AthleteNotFoundError, match="nobody was found at") as caught:
            client.analyze(squat_video, video=False, athlete={**point, "x": 0.0, "y": 0.0})
        (person,) = caught.value.facts["people"]
        assert person["track_id"] == 1
        assert person["box"][0] < x < person["box"][2]


def test_a_cut_off_too_high_for_the_video_is_refused_before_anything_is_analyzed(http, squat_video):
    form = {"cutoff_hz": "12.5", "video": "false"}
    answer = http.post("/pose", files={"file": squat_video.read_bytes()}, data=form)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_parameter")
    assert "at most 12 Hz" in answer.json()["detail"]


def test_the_client_sends_what_is_said_with_a_file(http, service, squat_video, monkeypatch):
    told = []
    biomechanics = service.stages.biomechanics

    async def watched(clip, min_score, max_people_in_frames, context):
        told.append(context)
        return await biomechanics(clip, min_score, max_people_in_frames, context)

    monkeypatch.setattr(service.stages, "biomechanics", watched)
    with PoseClient("http://test", transport=http._transport) as client:
        answer = client.analyze(squat_video, video=False, **SAID)
    assert told == [CONTEXT]
    summary = answer.data.biomechanics_summary[0]
    assert (summary.movement, summary.height_m) == ("jump", 1.75)
    assert summary.filter.cutoff_hz == 8.0
    assert asdict(summary.camera) == {
        "roll_deg": -2.5, "roll_source": "request", "slowmo_factor": 4.0,
    }  # fmt: skip
    assert answer.data.poses_per_frame[15].frame_info.timestamp == 0.5


def test_the_described_form_stands_alone(http):
    body = http.get("/openapi.json").json()["paths"]["/pose"]["post"]["requestBody"]["content"]
    for content in body.values():
        assert "$ref" not in json.dumps(content["schema"])
        subject = content["schema"]["properties"]["subject"]["anyOf"][0]
        assert subject["properties"].keys() == SAID["subject"].keys()
