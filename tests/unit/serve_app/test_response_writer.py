"""The response from arrays: who is listed, what is null and why, notices."""

import asyncio
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biomech.skeleton import KEYPOINTS
from deployments.annotated_video import StoredVideo
from deployments.biomechanics.clip_analysis import analyze
from deployments.messages import MediaInfo, ModelStatus
from serve_app.pipeline import Outcome, _other_passes
from serve_app.results.response_schema import PoseOptions, PoseResponse
from serve_app.results.response_writer import Answer, encode
from serve_app.service import PoseService
from tests.support.clips import dense_clip
from tests.support.stick_figure import FIGURE

MODELS = {"RTMPose-Medium": ModelStatus(role="rtmpose", loaded=True, name="RTMPose-Medium")}


def clip_of(present, decoded=None):
    """A clip of the stick figure; ``present`` (f, p) says who is in which frame."""
    present = np.asarray(present, bool)
    frames, people = present.shape

    def spread(values):
        shape = present.shape + (1,) * np.ndim(values)
        return np.where(present.reshape(shape), values, np.nan).astype(np.float32)

    return dense_clip(
        times_s=np.arange(frames) / 25,
        width=640,
        height=640,
        track_id=np.arange(1, people + 1, dtype=np.int32),
        box=spread(np.array([230.0, 90.0, 470.0, 510.0])),
        box_score=spread(0.9),
        keypoints=spread(FIGURE),
        score=spread(np.full(17, 0.8)),
        raw_score=spread(np.full(17, 1.2)),
        sigma=spread(np.full((17, 2), 3.0)),
        model=np.where(present, 0, -1).astype(np.int32),
        models=("RTMPose-Medium",) if present.any() else (),
        decoded=np.ones(frames, bool) if decoded is None else np.asarray(decoded, bool),
    )


def outcome_of(clip, stored=None, warnings=()):
    pts = np.arange(len(clip.times_s))
    media = MediaInfo("v.mp4", "mov", "h264", "yuv420p", 640, 640, 0, (1, 25), pts, pts[:1])
    timings = {"total": 1.23456789}
    return Outcome(media, clip, analyze(clip, 0.3), stored, 1, timings, warnings)


def made(clip, models=MODELS, outcome=None, **options):
    return Answer(outcome or outcome_of(clip), PoseOptions(**options), 0.3, models, "id")


def answer(clip, models=MODELS, outcome=None, **options):
    return made(clip, models, outcome, **options).response()


def test_frames_without_the_primary_person_say_why():
    clip = clip_of([[1, 1], [0, 1], [0, 0], [0, 0]], decoded=[1, 1, 1, 0])
    frames = answer(clip).data.poses_per_frame
    reasons = [frame.reason for frame in frames]
    assert reasons == [None, "primary_not_visible", "nobody_found", "not_decoded"]
    for frame in frames[1:]:
        assert frame.pose is None
        assert frame.keypoints is None
        assert frame.frame_info.model_used is None
        assert set(frame.biomechanics.joint_angles.values()) == {None}


def test_both_passes_of_who_left_and_came_back_have_their_numbers():
    """(M8) Walks out, 4 s empty, walks in: both are in the response, and the warning names both."""
    second, empty, first = np.ones(60, bool), np.zeros(100, bool), np.ones(40, bool)
    passes = np.stack(
        [np.concatenate([0 * first, empty, second]), np.concatenate([first, empty, 0 * second])], 1
    )
    clip = clip_of(passes)
    warnings = tuple(_other_passes(clip))
    data = answer(clip, outcome=outcome_of(clip, warnings=warnings), people="all").data
    assert [person.person_id for person in data.biomechanics_summary] == [1, 2]
    first_pass = [frame.people[0] for frame in data.poses_per_frame[:40]]
    assert {person.track_id for person in first_pass} == {2}
    for person in [*first_pass, *data.poses_per_frame[140:]]:
        assert person.biomechanics.joint_angles["left_knee"] is not None
    assert {frame.reason for frame in data.poses_per_frame[:40]} == {"primary_not_visible"}
    ((code, text),) = warnings
    assert code == "another_pass"
    assert "person 2 (0.0 to 1.6 s)" in text
    assert "person 1 (5.6 to 8.0 s)" in text


def test_a_damaged_frame_says_that_it_is():
    clip = clip_of([[1], [0], [0]], decoded=[1, 0, 0])
    outcome = replace(outcome_of(clip), damaged=frozenset([1]))
    frames = answer(clip, outcome=outcome).data.poses_per_frame
    assert [frame.reason for frame in frames] == [None, "damaged", "not_decoded"]


def test_numbers_of_the_primary_person_are_those_of_the_arrays():
    frame = answer(clip_of([[1]])).data.poses_per_frame[0]
    found = np.array([(frame.keypoints[n].x, frame.keypoints[n].y) for n in KEYPOINTS])
    assert found == pytest.approx(FIGURE, abs=0.006)
    knee = frame.keypoints["left_knee"]
    assert (knee.confidence, knee.raw_score, knee.sigma) == (0.8, 1.2, (3.0, 3.0))
    assert frame.biomechanics.joint_angles["left_elbow"] == pytest.approx(85.236, abs=1e-3)
    assert (frame.pose.track_id, frame.pose.score) == (1, 0.8)


def test_others_are_listed_where_they_are_asked_for_and_only_then():
    clip = clip_of([[1, 1], [0, 1]])
    assert [f.people for f in answer(clip).data.poses_per_frame] == [None, None]
    frames = answer(clip, people="all").data.poses_per_frame
    assert [[p.track_id for p in f.people] for f in frames] == [[2], [2]]
    document = made(clip).plain()
    assert "people" not in document["data"]["poses_per_frame"][0]


def test_frames_with_a_null_are_left_out_where_that_is_asked_for():
    """Clients that format every number get those frames alone (F20)."""
    clip = clip_of([[1]] * 5 + [[0]] + [[1]] * 25)
    clip.score[clip.row[20, 0], 9] = 0.1  # a wrist, so an elbow
    told = made(clip, frames="complete")
    frames = told.plain()["data"]["poses_per_frame"]
    numbers = [frame["frame_info"]["frame_number"] for frame in frames]
    assert numbers == [f for f in range(31) if f not in (5, 20)]
    assert [f.frame_info.frame_number for f in told.response().data.poses_per_frame] == numbers
    assert len(answer(clip).data.poses_per_frame) == 31


def test_points_that_the_network_did_not_give_are_null():
    clip = clip_of([[1]])
    clip.keypoints[0, 9] = clip.sigma[0, 9] = np.nan
    clip.score[0, 9] = clip.raw_score[0, 9] = 0
    wrist = answer(clip).data.poses_per_frame[0].keypoints["left_wrist"]
    assert (wrist.x, wrist.y, wrist.sigma, wrist.confidence) == (None, None, None, 0.0)


def test_the_summary_counts_frames_models_and_people():
    clip = clip_of([[1, 1], [1, 0], [0, 1]])
    summary = answer(clip).data.processing_summary
    assert (summary.total_frames, summary.successful_poses, summary.people) == (3, 2, 2)
    assert summary.models_used == {"RTMPose-Medium": 2}
    assert summary.average_confidence == 0.8
    assert summary.timings_s == {"total": 1.2346}


def test_nobody_is_a_success_with_a_warning():
    response = answer(clip_of(np.zeros((3, 0))))
    assert [notice.code for notice in response.warnings] == ["nobody_found"]
    summary = response.data.processing_summary
    assert (summary.successful_poses, summary.average_confidence) == (0, None)
    assert summary.model_info.name == "RTMPose-Medium"


def test_a_stand_in_is_announced_in_every_response():
    models = {name: replace(status, notice="not for use") for name, status in MODELS.items()}
    response = answer(clip_of([[1]]), models)
    assert [(n.code, n.detail) for n in response.warnings] == [
        ("model_notice", "RTMPose-Medium is not for use")
    ]


def test_what_was_not_asked_for_is_null():
    stored = StoredVideo("http://x/v.mp4", 10, "0" * 64)
    clip = clip_of([[1]])
    outcome = outcome_of(clip, stored, (("hdr_converted", "text"),))
    response = answer(clip, outcome=outcome, data=False)
    assert (response.data, response.video_url) == (None, "http://x/v.mp4")
    assert [notice.code for notice in response.warnings] == ["hdr_converted"]


def test_the_document_is_plain_json_and_comes_back_as_it_was():
    told = made(clip_of([[1, 1], [0, 1]], decoded=[1, 1]), people="all")
    again = PoseResponse.model_validate_json(told.body())
    assert again.model_dump(mode="json") == told.response().model_dump(mode="json") == told.plain()


@given(
    present=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6),
    people=st.sampled_from(["primary", "all"]),
    data=st.booleans(),
)
def test_frame_by_frame_an_answer_is_written_as_it_is_at_once(present, people, data):
    told = made(clip_of(np.reshape(present, (-1, 2))), people=people, data=data)
    told.video_url = "http://x/v.mp4"
    assert told.body() == encode(told.response())


def test_an_answer_is_written_in_little_more_memory_than_its_text():
    told = [made(clip_of(np.ones((frames, 1)))) for frames in (20, 120)]
    texts, peaks = [], []
    for one in told:
        tracemalloc.start()
        texts.append(len(one.body()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1.5 * (texts[1] - texts[0])


@pytest.mark.parametrize("name", ["box", "box_score", "score", "raw_score", "times_s"])
def test_no_array_s_nan_becomes_a_null_unseen(name):
    told = made(clip_of([[1], [1]]))
    getattr(told._outcome.clip, name)[1] = np.nan
    for written in (told.response, told.body, told.plain):
        with pytest.raises(ValueError, match=r"finite number|greater than or equal"):
            written()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_and_not_told_as_null(value):
    response = answer(clip_of([[1]]))
    response.request_id = "NaN, Infinity"
    assert json.loads(encode(response))["request_id"] == "NaN, Infinity"
    response.data.poses_per_frame[0].biomechanics.joint_angles["deep"] = value
    with pytest.raises(ValueError, match=r"(NaN|Infinity) is no JSON value"):
        encode(response)


def test_frames_of_the_others_are_not_even_made_unless_asked_for(service, squat_video, tmp_path):
    made = []

    class Watched:
        def __getattr__(self, name):
            return getattr(service.stages, name)

        async def biomechanics(self, clip, min_score, max_people_in_frames, context):
            made.append(max_people_in_frames)
            return await service.stages.biomechanics(clip, min_score, max_people_in_frames, context)

    lone = PoseService(service.settings, service.plan, Watched(), lambda: service.stages.statuses)
    for options in ({"people": "primary"}, {"people": "all"}, {"data": False}):
        chosen = PoseOptions(video=False, **options)
        asyncio.run(lone.analyze_file(squat_video, tmp_path, chosen, "id"))
    assert made == [1, None, 0]
