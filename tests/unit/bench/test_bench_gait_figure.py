"""The picture of a walk: made of a saved response, refused without one."""

import cv2
import numpy as np
import pytest

from bench.gait_figure import draw
from serve_app.results.response_schema import PoseResponse
from tests.support.filmed_athlete import filmed
from tests.support.saved_results import SIZE, saved, squatting


def test_a_walk_becomes_a_picture(tmp_path):
    track = filmed("gait", fps=30.0, seconds=5.0, seed=2, treadmill=True)[1]
    centered = track.xy - track.center + np.array(SIZE) / 2
    response = PoseResponse.model_validate_json(saved(centered))
    draw(response, tmp_path / "gait.png")
    picture = cv2.imread(str(tmp_path / "gait.png"))
    assert picture.shape[1] > 2 * picture.shape[0] > 500
    for bgr in ((0, 159, 230), (233, 180, 86)):  # the curves and steps of either side
        assert (abs(picture.astype(int) - bgr).max(2) < 12).sum() > 200


def test_nobody_walks(tmp_path):
    response = PoseResponse.model_validate_json(saved(squatting()))
    with pytest.raises(ValueError, match="nobody walks"):
        draw(response, tmp_path / "gait.png")
    assert not (tmp_path / "gait.png").exists()
