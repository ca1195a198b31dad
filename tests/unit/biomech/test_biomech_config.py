"""Thresholds and weights: defaults of the definitions, and what is refused."""

import json
from dataclasses import FrozenInstanceError, asdict, fields, replace

import pytest

from biomech.config import ALL_OUTPUTS, BiomechanicsConfig, Camera, Context, EnabledOutputs, Subject

DEFAULT = BiomechanicsConfig()


def test_defaults_are_those_of_the_definitions():
    assert DEFAULT.min_score == 0.3
    assert (DEFAULT.frontal_ratio, DEFAULT.sagittal_ratio, DEFAULT.level_ratio) == (0.87, 0.5, 0.7)
    assert (DEFAULT.view_window_s, DEFAULT.view_hysteresis) == (1.0, 0.05)
    assert (DEFAULT.facing_window_s, DEFAULT.facing_speed) == (0.5, 0.3)
    assert (DEFAULT.min_segment_share, DEFAULT.min_segment_sigmas) == (0.15, 3.0)
    assert (DEFAULT.contact_height, DEFAULT.contact_speed) == (0.04, 0.3)
    assert DEFAULT.half_foot_breadth * 2 == 0.055
    assert (DEFAULT.foot_length, DEFAULT.heel_share) == (0.152, 0.25)
    assert (DEFAULT.omega0_default, DEFAULT.sway_scale) == (3.2, 0.015)
    assert (DEFAULT.cutoff_hz, DEFAULT.max_gap_s, DEFAULT.gap_neighbours) == (6.0, 0.2, 3)
    assert (DEFAULT.swap_switch, DEFAULT.swap_tolerance) == (9.0, 0.02)
    assert (DEFAULT.swap_longest_s, DEFAULT.swap_least_gain) == (0.5, 0.5)
    assert (DEFAULT.outlier_window_s, DEFAULT.outlier_deviations) == (0.117, 3.0)
    assert (DEFAULT.outlier_floor_px, DEFAULT.outlier_score, DEFAULT.outlier_bone) == (
        0.5,
        0.7,
        0.3,
    )
    assert DEFAULT.stability_weights == (0.6, 0.4)
    assert DEFAULT.gait_stability_weights == (0.6, 0.4)
    assert DEFAULT.readiness_weights == (0.24, 0.24, 0.16, 0.16, 0.20)
    assert DEFAULT.readiness_parts == 3
    assert (DEFAULT.symmetry_span_deg, DEFAULT.lean_span_deg, DEFAULT.tilt_span_deg) == (60, 20, 10)


@pytest.mark.parametrize("name", [f.name for f in fields(BiomechanicsConfig)])
@pytest.mark.parametrize("bad", [-0.01, float("nan")], ids=["negative", "nan"])
def test_every_field_refuses_what_is_no_amount(name, bad):
    value = getattr(DEFAULT, name)
    wrong = (bad, *value[1:]) if isinstance(value, tuple) else bad
    with pytest.raises(ValueError, match=name):
        replace(DEFAULT, **{name: wrong})


@pytest.mark.parametrize(
    "name", ["symmetry_span_deg", "lean_span_deg", "tilt_span_deg", "sway_scale", "cutoff_hz"]
)
def test_divisors_are_not_zero(name):
    with pytest.raises(ValueError, match=f"{name} must not be 0"):
        replace(DEFAULT, **{name: 0.0})


@pytest.mark.parametrize(
    ("frontal", "sagittal", "accepted"),
    [(0.87, 0.5, True), (0.61, 0.5, True), (0.6, 0.5, False), (0.4, 0.5, False)],
)
def test_views_leave_room_for_their_hysteresis(frontal, sagittal, accepted):
    if accepted:
        assert (
            BiomechanicsConfig(frontal_ratio=frontal, sagittal_ratio=sagittal).frontal_ratio
            == frontal
        )
    else:
        with pytest.raises(ValueError, match="leave no room"):
            BiomechanicsConfig(frontal_ratio=frontal, sagittal_ratio=sagittal)


@pytest.mark.parametrize(
    "name", ["stability_weights", "gait_stability_weights", "readiness_weights"]
)
def test_weights_are_parts_of_one(name):
    value = getattr(DEFAULT, name)
    with pytest.raises(ValueError, match=f"{name} must sum to 1"):
        replace(DEFAULT, **{name: (value[0] + 0.1, *value[1:])})
    shifted = (value[0] + 0.1, value[1] - 0.1, *value[2:])
    assert getattr(replace(DEFAULT, **{name: shifted}), name) == shifted


def test_a_config_is_plain_json():
    assert json.loads(json.dumps(asdict(DEFAULT), allow_nan=False))["min_score"] == 0.3


def test_a_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        DEFAULT.min_score = 0.5


@pytest.mark.parametrize("height", [0.4, 1.75, 2.8, None])
def test_heights_of_people(height):
    assert Subject(height_m=height).height_m == height


@pytest.mark.parametrize("height", [0.39, 2.81, 175.0, -1.0, float("nan")])
def test_other_heights_are_refused(height):
    with pytest.raises(ValueError, match="height_m"):
        Subject(height_m=height)


@pytest.mark.parametrize("sex", ["male", "female", None])
def test_sexes_of_the_tables(sex):
    assert Subject(sex=sex).sex == sex


@pytest.mark.parametrize("sex", ["m", "Male", ""])
def test_other_words_for_the_sex_are_refused(sex):
    with pytest.raises(ValueError, match="must be male, female or None"):
        Subject(sex=sex)


@pytest.mark.parametrize(
    ("movement", "cutoff"),
    [("auto", 6), ("squat", 6), ("gait", 6), ("run", 10), ("jump", 10), ("throw", 12)],
)
def test_movements_set_the_cut_off_unless_it_is_named(movement, cutoff):
    assert Context(movement).config(0.4).cutoff_hz == cutoff
    assert Context(movement, cutoff_hz=7.5).config(0.4).cutoff_hz == 7.5
    assert Context(movement).config(0.4).min_score == 0.4


def test_a_known_roll_adds_no_doubt():
    assert Context().config(0.3).sigma_roll_deg == 2.0
    assert Context(camera=Camera(roll_deg=0.0)).config(0.3).sigma_roll_deg == 0.0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Context("dance"), "movement is 'dance'"),
        (lambda: Context(cutoff_hz=0.0), "cutoff_hz is 0.0"),
        (lambda: Context(cutoff_hz=float("nan")), "cutoff_hz is nan"),
        (lambda: Subject(involved_side="both"), "involved_side is 'both'"),
        (lambda: Camera(roll_deg=90.1), "roll_deg is 90.1"),
        (lambda: Camera(roll_deg=float("nan")), "roll_deg is nan"),
        (lambda: Camera(slowmo_factor=0.0), "slowmo_factor is 0.0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_all_parts_are_given_unless_told():
    assert all(asdict(ALL_OUTPUTS).values())
    assert EnabledOutputs() == ALL_OUTPUTS
