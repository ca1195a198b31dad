"""Settings: which source wins, and what is refused by name."""

import json
from pathlib import Path

import pytest
from pydantic import Field

from biomech.config import BiomechanicsConfig
from deployments.errors import ConfigurationError, UnknownModelError
from deployments.messages import AnalysisOptions
from deployments.pose.registry import Performance
from serve_app.live_config import LiveConfig
from serve_app.model_plan import plan_models
from serve_app.setting_types import environment_name
from serve_app.settings import Settings, load_settings
from tools.settings_table import PAGE, page_with

SPECIFIED = (
    "RTMPOSE_ENABLED",
    "HRNET_ENABLED",
    "CONFIDENCE_THRESHOLD",
    "BIOMECHANICS_ANALYSIS",
    "MMCV_WITH_OPS",
    "MMPOSE_MIXED_PRECISION",
    "MMPOSE_BATCH_SIZE",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for field in Settings.model_fields:
        monkeypatch.delenv(environment_name(field), raising=False)


def test_the_environment_wins_over_arguments_which_win_over_defaults(monkeypatch):
    assert load_settings().batch_size == 16
    assert load_settings({"batch_size": 8}).batch_size == 8
    monkeypatch.setenv("MMPOSE_BATCH_SIZE", "4")
    assert load_settings({"batch_size": 8}).batch_size == 4


def test_the_variables_of_the_specification_have_their_names():
    names = {environment_name(field) for field in Settings.model_fields}
    assert names.issuperset(SPECIFIED)
    assert all(name.startswith("MMPOSE_") or name in SPECIFIED for name in names)


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("RTMPOSE_ENABLED", "false", "rtmpose_enabled", False),
        ("HRNET_ENABLED", "0", "hrnet_enabled", False),
        ("CONFIDENCE_THRESHOLD", "0.45", "confidence_threshold", 0.45),
        ("BIOMECHANICS_ANALYSIS", "false", "biomechanics", False),
        ("MMCV_WITH_OPS", "1", "mmcv_with_ops", True),
        ("MMPOSE_MIXED_PRECISION", "1", "mixed_precision", True),
        ("MMPOSE_BATCH_SIZE", "4", "batch_size", 4),
        ("MMPOSE_GCS_BUCKETS", "a-bucket, another", "gcs_buckets", {"a-bucket", "another"}),
        ("MMPOSE_S3_BUCKETS", "a-bucket another", "s3_buckets", {"a-bucket", "another"}),
        ("MMPOSE_S3_ENDPOINT", "http://minio:9000", "s3_endpoint", "http://minio:9000"),
        ("MMPOSE_MIRRORS", "http://b, http://a\nhttp://c", "mirrors", ("http://b", "http://a", "http://c")),
        ("MMPOSE_SEGMENT_S", "", "segment_s", 4.0),
    ],
)  # fmt: skip
def test_a_variable_is_read(monkeypatch, name, value, field, expected):
    monkeypatch.setenv(name, value)
    assert getattr(load_settings(), field) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MMPOSE_BATCH_SIZE", "many"),
        ("MMPOSE_BATCH_SIZE", "0"),
        ("CONFIDENCE_THRESHOLD", "1.5"),
        ("RTMPOSE_ENABLED", "perhaps"),
        ("MMPOSE_DEVICE", "tpu"),
        ("MMPOSE_MIRRORS", "file:///weights"),
        ("MMPOSE_MIRRORS", "http://[b"),
        ("MMPOSE_MIRRORS", "http://a:99999/weights"),
        ("MMPOSE_ENCODE_PRESET", "placebo; rm"),
    ],
)
def test_a_wrong_value_is_refused_by_name_with_what_was_given(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert name in refused.value.detail
    assert repr(value) in refused.value.detail


def test_an_unknown_variable_is_refused_with_the_likely_one(monkeypatch):
    monkeypatch.setenv("MMPOSE_BATCHSIZE", "4")
    with pytest.raises(ConfigurationError, match="MMPOSE_BATCH_SIZE is"):
        load_settings()


def test_an_unknown_argument_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="segment_seconds"):
        load_settings({"segment_seconds": 4})


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().batch_size = 3


def test_the_operators_table_follows_from_the_settings():
    text = PAGE.read_text("utf-8")
    assert page_with(text) == text, "run: python -m tools.settings_table"


def test_a_field_is_all_that_a_setting_needs(monkeypatch):
    """The recipe of docs/contributor.md: read, bounded, and in the operator's table."""

    class WithOne(Settings):
        patience_s: float = Field(2.5, gt=0, description="How long we wait.")

    monkeypatch.setattr("serve_app.settings.Settings", WithOne)
    monkeypatch.setattr("tools.settings_table.Settings", WithOne)
    assert load_settings().patience_s == 2.5
    row = "| `MMPOSE_PATIENCE_S` | 2.5 | How long we wait. |\n"
    assert row in page_with(PAGE.read_text("utf-8"))
    monkeypatch.setenv("MMPOSE_PATIENCE_S", "0.5")
    assert load_settings().patience_s == 0.5
    monkeypatch.setenv("MMPOSE_PATIENCE_S", "-1")
    with pytest.raises(ConfigurationError, match="MMPOSE_PATIENCE_S"):
        load_settings()


def test_what_changes_without_a_restart_starts_as_the_settings_and_the_registry():
    live, settings, options = LiveConfig(), Settings(), AnalysisOptions()
    for name in ("min_box_score", "detector_stride", "max_people"):
        assert getattr(live, name) == getattr(settings, name) == getattr(options, name)
    performance = Performance()
    for name in ("confidence_threshold", "max_concurrent_requests"):
        assert getattr(live, name) == getattr(performance, name)
    assert live.confidence_threshold == BiomechanicsConfig().min_score
    assert all(field.description for field in Settings.model_fields.values())


def test_a_disabled_model_is_not_planned(marker_config):
    plan = plan_models(load_settings({"config": marker_config, "rtmpose_enabled": False}))
    assert plan.choices["rtmpose"].disabled
    assert not plan.choices["hrnet"].disabled


def test_a_pose_model_of_ones_choice_comes_first(marker_config):
    plan = plan_models(load_settings({"config": marker_config, "pose_model": "marker_fallback"}))
    assert plan.choices["rtmpose"].entries[0].key == "marker_fallback"
    with pytest.raises(UnknownModelError, match="marker_pose"):
        plan_models(load_settings({"config": marker_config, "pose_model": "none"}))


def test_the_specifications_own_file_works_unchanged(tmp_path):
    path = Path(tmp_path, "model_config.json")
    path.write_text(
        json.dumps(
            {
                "service": "mmpose",
                "version": "1.0.0",
                "models": {
                    "rtmpose_medium": {
                        "enabled": True,
                        "config": "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192",
                        "checkpoint": "/app/weights/mmpose/"
                        "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192-63eb25f7_20230126.pth",
                    },
                    "hrnet_w48": {
                        "enabled": True,
                        "config": "td-hm_hrnet-w48_8xb32-210e_coco-256x192",
                        "fallback": True,
                    },
                },
                "biomechanics": {
                    "joint_angle_analysis": True,
                    "symmetry_detection": True,
                    "stability_assessment": True,
                    "movement_quality": True,
                },
                "performance": {
                    "confidence_threshold": 0.3,
                    "max_concurrent_requests": 4,
                    "batch_processing": False,
                },
            }
        )
    )
    plan = plan_models(load_settings({"config": path}))
    assert not plan.options.share_batches
    assert {role: choice.entries[0].name for role, choice in plan.choices.items()} == {
        "rtmpose": "RTMPose-Medium",
        "hrnet": "HRNet-W48",
        "detector": "RTMDet-nano",
    }


def test_a_wrong_mirror_is_told_without_its_secrets(monkeypatch):
    monkeypatch.setenv("MMPOSE_MIRRORS", "ftp://user:s3cret@host/weights?key=t0ken")
    with pytest.raises(ConfigurationError, match="MMPOSE_MIRRORS") as caught:
        load_settings()
    assert "ftp://host/weights" in caught.value.detail
    assert "s3cret" not in str(caught.value)
    assert "t0ken" not in str(caught.value)
