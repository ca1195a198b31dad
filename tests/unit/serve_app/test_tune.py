"""`mmpose-service tune`: what is chosen, and a config that can be deployed."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from deployments.pose.deployment import BatchConfig
from serve_app.cli.main import main
from serve_app.cli.tune import environment, fragment, merged
from serve_app.config_check import check_config
from serve_app.offline import tuning
from serve_app.offline.analysis_diff import AnalysisDifference
from serve_app.offline.tuning import PoseRate, StrideCost, cheapest, fastest
from serve_app.settings import load_settings
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "config").glob("serve*.yaml"))
RATE = PoseRate("openvino", "fp32", False, None, 2, 1, 16, 100.0, 0.0, 0.0)
HALF = replace(RATE, precision="bf16", mixed=True, crops_per_s=180.0, shift_median_px=0.4)
WHOLE = replace(RATE, precision="int8+fp32", quantized=Path("q"), crops_per_s=250.0)
EVERY = StrideCost(1, None, 100, AnalysisDifference(1.0, 1.0, 0.0, 0.0, 0, 0, 100))


def stride(iou, detections, n=4, finest=None):
    return StrideCost(n, finest, detections, replace(EVERY.against, iou_mean=iou))


@pytest.mark.parametrize(
    ("rates", "most", "best"),
    [
        ([RATE, HALF], 0.5, HALF),
        ([RATE, HALF], 0.3, RATE),
        ([RATE, replace(RATE, batch=8, crops_per_s=98.0)], 0.5, "batch 8"),
        ([RATE, replace(RATE, batch=8, crops_per_s=90.0)], 0.5, RATE),
        ([RATE, replace(RATE, replicas=2, threads=1, crops_per_s=101.0)], 0.5, RATE),
        ([RATE, replace(RATE, replicas=2, threads=1, crops_per_s=150.0)], 0.5, "two"),
        ([HALF, RATE], -1.0, RATE),
        ([RATE, HALF, WHOLE], 0.5, WHOLE),
        ([RATE, replace(WHOLE, shift_median_px=0.6)], 0.5, RATE),
        ([RATE, replace(WHOLE, shift_median_px=float("nan"))], 0.5, RATE),
    ],
    ids=[
        "faster",
        "too far",
        "alike",
        "slower",
        "alike but two",
        "two",
        "cost unknown",
        "int8",
        "int8 too far",
        "nobody seen",
    ],
)
def test_the_fastest_within_its_cost_that_asks_for_least(rates, most, best):
    chosen = fastest(rates, most)
    assert chosen is (best if isinstance(best, PoseRate) else rates[1])


@pytest.mark.parametrize(
    ("costs", "detections"),
    [
        ([EVERY, stride(0.95, 25), stride(0.8, 13)], 25),
        ([EVERY, stride(0.85, 25), stride(0.8, 13)], 100),
        ([EVERY, stride(0.95, 25), stride(0.91, 20, 16, 2)], 20),
    ],
)
def test_the_fewest_detections_whose_boxes_are_good_enough(costs, detections):
    assert cheapest(costs, 0.9).detections == detections


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_fragment_in_any_of_our_configs_is_a_good_config(path, tmp_path):
    chosen = replace(HALF, replicas=3, threads=1, batch=32)
    part = fragment(chosen, stride(0.95, 20, 16, 2))
    document = merged(yaml.safe_load(path.read_text()), part)
    made = tmp_path / "tuned.yaml"
    made.write_text(yaml.safe_dump(document))
    assert check_config(made) == []
    (application,) = document["applications"]
    settings = load_settings(application["args"], {})
    assert (settings.threads, settings.batch_size, settings.mixed_precision) == (1, 32, True)
    assert (settings.detector_stride, settings.finest_stride) == (16, 2)
    (model,) = (d for d in application["deployments"] if d["name"] == "RTMPose")
    others = {
        d["name"]: d for d in yaml.safe_load(path.read_text())["applications"][0]["deployments"]
    }
    batching = others["RTMPose"]["user_config"] | {"max_batch_size": 32}
    assert BatchConfig(**model["user_config"]) == BatchConfig(**batching)
    scaling = model.get("autoscaling_config")
    assert (scaling["min_replicas"] if scaling else model["num_replicas"]) == 3
    assert scaling is None or scaling["max_replicas"] >= 3
    for deployment in application["deployments"]:
        assert deployment == others[deployment["name"]] or deployment["name"] == "RTMPose"


def test_an_earlier_fine_stride_does_not_outlive_a_fragment_without_one():
    document = yaml.safe_load(CONFIGS[0].read_text())
    document["applications"][0]["args"] = {"finest_stride": 1}
    part = fragment(RATE, stride(0.95, 25))
    assert "finest_stride" not in merged(document, part)["applications"][0]["args"]


def test_a_network_in_int8_comes_and_goes_with_the_fragment():
    document = yaml.safe_load(CONFIGS[0].read_text())
    arguments = merged(document, fragment(WHOLE, None))["applications"][0]["args"]
    assert load_settings(arguments, {}).quantized == Path("q")
    assert "quantized" not in merged(document, fragment(RATE, None))["applications"][0]["args"]


@pytest.fixture
def short(monkeypatch, marker_config):
    monkeypatch.setattr(tuning, "BATCHES", (1, 4))
    monkeypatch.setattr(tuning, "usable_cpus", lambda: 2)
    return CliRunner(env={"MMPOSE_CONFIG": str(marker_config)})


def test_a_video_tunes_model_and_stride_and_says_why(short, squat_video, tmp_path):
    out = tmp_path / "tuned.yaml"
    arguments = ["tune", str(squat_video), "--seconds", "0.4", "--out", str(out)]
    result = short.invoke(main, arguments)
    assert result.exit_code == 0, result.output
    told = out.read_text()
    assert "Marker-Pose: crops a second" in told
    assert "openvino fp32, 2 x 1 threads, batch  4:" in told
    assert "openvino fp32, 1 x 2 threads, batch  1:" in told
    assert told.count("<- chosen") == 2
    (application,) = yaml.safe_load(told)["applications"]
    settings = load_settings(application["args"], {})
    assert settings.batch_size in (1, 4)
    chosen = next(line for line in told.splitlines() if line.endswith("missed 0 of 60 <- chosen"))
    assert chosen.split()[1].rstrip(",:") == str(settings.detector_stride)
    assert environment(yaml.safe_load(told))["MMPOSE_BATCH_SIZE"] == str(settings.batch_size)


def test_without_a_video_neither_precision_nor_stride_is_changed(short, tmp_path):
    out = tmp_path / "tuned.yaml"
    result = short.invoke(main, ["tune", "--seconds", "0.4", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["path"], told["strides"]) == (str(out), [])
    assert [rate["chosen"] for rate in told["rates"]].count(True) == 1
    assert told["environment"]["MMPOSE_MIXED_PRECISION"] == "False"
    (application,) = yaml.safe_load(out.read_text())["applications"]
    assert application["args"]["mixed_precision"] is False
    assert not {"detector_stride", "finest_stride"} & application["args"].keys()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (lambda t: ["no such.mp4"], "there is no file no such.mp4"),
        (lambda t: ["--into", str(other_config(t)), "--seconds", "0"], "the config has no pose"),
    ],
)
def test_wrong_use_is_told(short, tmp_path, arguments, says):
    result = short.invoke(main, ["tune", *arguments(tmp_path), "--out", str(tmp_path / "t.yaml")])
    assert result.exit_code == 2
    assert says in result.output
    assert not (tmp_path / "t.yaml").exists()


def other_config(folder):
    path = folder / "other.yaml"
    path.write_text(json.dumps({"applications": [{"name": "another"}]}))
    return path


def test_rates_are_of_all_replicas_together():
    class Slow:
        def infer(self, crops):
            calls.append(len(crops))
            time.sleep(0.001)

    calls = []
    began = time.perf_counter()
    rate = tuning._rate([Slow(), Slow()], np.zeros((3, 1, 1, 3), np.uint8), 0.05)
    took = time.perf_counter() - began
    assert set(calls) == {3}
    assert 0.05 <= 3 * (len(calls) - 2) / rate <= took  # the first call of each is not counted
