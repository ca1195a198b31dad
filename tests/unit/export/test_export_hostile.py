"""Results that no analysis gives: refused as a wrong parameter, or exported, never a failure."""

import json

import pytest

from deployments.errors import BadParameterError
from serve_app.export.formats import FORMATS, ExportOptions, export
from serve_app.export.saved_clip import read_result
from tests.support.saved_results import height_of, saved, squatting


def document(step_s=1 / 30, cutoff_hz=None, frames=60):
    made = json.loads(saved(squatting(frames), context=height_of(1.8)))
    for i, frame in enumerate(made["data"]["poses_per_frame"]):
        frame["frame_info"]["timestamp"] = i * step_s
    if cutoff_hz is not None:
        made["data"]["biomechanics_summary"][0]["filter"]["cutoff_hz"] = cutoff_hz
    return json.dumps(made).encode()


def tried(body, kind):
    try:
        return b"".join(export(read_result(body), kind, ExportOptions(height_m=1.8)).pieces)
    except BadParameterError as error:
        return error


@pytest.mark.parametrize("frames", [2, 5])
@pytest.mark.parametrize("kind", FORMATS)
def test_frames_days_apart_have_no_rate_and_are_refused_where_one_is_needed(kind, frames):
    result = tried(document(step_s=2e5, frames=frames), kind)
    if kind in ("trc", "mot", "c3d"):
        assert isinstance(result, BadParameterError)
        assert "further apart" in result.detail
    else:
        assert result


@pytest.mark.parametrize("step_s", [2.6e-4, 1e-3, 1.0, 50.0, 1e4])
@pytest.mark.parametrize("kind", FORMATS)
def test_any_spacing_is_exported_or_refused(kind, step_s):
    assert tried(document(step_s), kind)


@pytest.mark.parametrize("cutoff_hz", [1e-300, 1e-9, 5e-4])
def test_a_cut_off_that_no_filter_has_is_refused(cutoff_hz):
    with pytest.raises(BadParameterError, match="cutoff_hz"):
        read_result(document(cutoff_hz=cutoff_hz))


@pytest.mark.parametrize("step_s", [1 / 3000, 1 / 30])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_lowest_cut_off_is_taken(kind, step_s):
    assert isinstance(tried(document(step_s, cutoff_hz=1e-3), kind), bytes)
