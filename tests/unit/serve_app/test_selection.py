"""`fields=` chooses parts of a response: paths, their abbreviations, and what is not there."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from biomech.records.frame_fields import FIELDS
from biomech.records.frame_record import FrameDetail, NoDetail
from biomech.skeleton import KEYPOINTS
from deployments.errors import BadParameterError
from deployments.messages import ModelStatus
from serve_app.results.health_schema import HealthStage
from serve_app.results.response_schema import PoseOptions, PoseResponse, selection_of
from tests.unit.serve_app.test_response_writer import clip_of, made

PRESENT = [[1, 1], [0, 1], [0, 0], [1, 0]]
WHOLE = made(clip_of(PRESENT), people="all")
DOCUMENT = WHOLE.body()

PATHS = [
    "joint_angles",
    "keypoints.nose",
    "data.poses_per_frame.keypoints.left_wrist.x",
    "people.keypoints",
    "people.box.x1",
    "frame_info.timestamp",
    "detail.signed",
    "detail.view.class",
    "data.biomechanics_summary.scores",
    "data.biomechanics_summary.joints.left_knee.rom",
    "biomechanics_summary.config.min_score",
    "data.processing_summary",
    "data",
    "warnings.code",
    "request_id",
    "video_url",
]


def refused(fields):
    with pytest.raises(BadParameterError) as error:
        selection_of(fields)
    return error.value


@given(chosen=st.lists(st.sampled_from(PATHS), min_size=1, max_size=4))
def test_what_is_written_is_that_part_of_the_whole(chosen):
    told = made(clip_of(PRESENT), people="all", fields=", ".join(chosen))
    assert told.body() == told.selection.of_json(DOCUMENT)
    whole = json.loads(DOCUMENT)
    assert json.loads(told.body()) == told.selection.of_value(whole) == told.plain()


def test_a_path_chooses_all_below_it_in_every_item_of_a_list():
    whole = json.loads(DOCUMENT)["data"]["poses_per_frame"]
    told = made(clip_of(PRESENT), people="all", fields="joint_angles,frame_info.frame_number")
    assert told.plain() == {
        "data": {
            "poses_per_frame": [
                {
                    "biomechanics": {"joint_angles": frame["biomechanics"]["joint_angles"]},
                    "frame_info": {"frame_number": frame["frame_info"]["frame_number"]},
                }
                for frame in whole
            ]
        }
    }


def test_frames_are_written_one_by_one_and_apart_from_the_rest():
    for fields in (None, "keypoints", "request_id"):
        told = made(clip_of(PRESENT), fields=fields)
        frames = [json.loads(frame) for frame in told.frames()]
        assert all(b"\n" not in frame for frame in told.frames())
        assert frames == told.plain().get("data", {}).get("poses_per_frame", [])
        head = json.loads(told.head())
        assert head.get("data", {}).pop("poses_per_frame", []) == []


def test_complete_frames_are_the_same_ones_whatever_is_chosen():
    clip = clip_of([[1]] * 5 + [[0]] + [[1]] * 25)
    clip.score[clip.row[20, 0], 9] = 0.1
    frames = made(clip, frames="complete", fields="frame_number").plain()["data"]["poses_per_frame"]
    numbers = [frame["frame_info"]["frame_number"] for frame in frames]
    assert numbers == [n for n in range(31) if n not in (5, 20)]


def test_keypoints_and_scores_that_are_not_chosen_are_not_even_made(monkeypatch):
    def never(*_):
        raise AssertionError("made in vain")

    monkeypatch.setattr("serve_app.results.response_writer.keypoints_of", never)
    told = made(clip_of(PRESENT), people="all", fields="joint_angles")
    assert json.loads(told.body()) == told.selection.of_value(json.loads(DOCUMENT))
    monkeypatch.setattr("serve_app.results.response_writer.Answer._biomechanics", never)
    assert len(list(made(clip_of(PRESENT), people="all", fields="frame_info").frames())) == 4


def test_no_data_has_no_chosen_part_of_it():
    told = made(clip_of(PRESENT), data=False, fields="joint_angles,request_id")
    assert told.plain() == {"data": None, "request_id": "id"}


@pytest.mark.parametrize(
    ("fields", "says", "hint"),
    [
        ("joint_angle", "the response has no part 'joint_angle'", "joint_angles"),
        ("data.pose_per_frame.box", "data has no part 'pose_per_frame'", "poses_per_frame"),
        ("keypoints.left_wirst", "keypoints has no part 'left_wirst'", "left_wrist"),
        ("keypoints.nose.z", "keypoints.nose has no part 'z'", "/docs"),
        ("people.0.box", "people has no part '0'", "/docs"),
        ("request_id.x", "request_id has no part 'x'", "/docs"),
        ("\x00", "no part '\\x00'", "/docs"),
        ("a" * 4000, "no part", "/docs"),
        ("", "empty path", "joint_angles"),
        ("joint_angles,,keypoints", "empty path", "joint_angles"),
        ("keypoints..x", "keypoints has no part ''", "/docs"),
    ],
)
def test_an_unknown_part_is_named_with_what_comes_close(fields, says, hint):
    error = refused(fields)
    assert error.facts["field"] == "fields"
    assert says in error.detail
    assert hint in error.hint
    assert len(error.detail) < 300


def test_an_abbreviation_of_several_parts_is_refused_with_all_of_them():
    detail = refused("detail").detail
    assert "data.poses_per_frame.biomechanics.detail" in detail
    assert "warnings.detail" in detail
    assert "people" not in detail


def test_the_option_of_a_request_is_checked_by_its_model():
    with pytest.raises(BadParameterError, match="joint_anglez"):
        PoseOptions(fields="joint_anglez")
    assert PoseOptions().selection is None


def test_names_of_keypoints_and_numbers_are_properties_of_the_schema():
    schema = PoseResponse.model_json_schema(mode="serialization")["$defs"]
    assert list(schema["Keypoints"]["properties"]) == list(KEYPOINTS)
    for block, names in FIELDS.items():
        component = schema["FrameBiomechanics"]["properties"][block]
        assert tuple(component["properties"]) == names == tuple(component["required"])


def test_a_frame_s_detail_is_what_its_schema_says():
    frames = json.loads(DOCUMENT)["data"]["poses_per_frame"]
    details = [frame["biomechanics"]["detail"] for frame in frames]
    assert details[0].keys() == {item.name for item in dataclasses.fields(FrameDetail)} - {
        "shoulder_reference"
    }
    TypeAdapter(list[FrameDetail | NoDetail]).validate_python(details)


def test_a_stage_of_health_is_described_as_it_is():
    assert [*HealthStage.model_fields] == [*ModelStatus.__dataclass_fields__]
