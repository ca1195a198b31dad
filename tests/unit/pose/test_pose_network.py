"""Networks from their own configs: built, normalized as stated, filled with their own weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from deployments.errors import ConfigurationError, WeightsCorruptError
from deployments.pose.network import load_network
from deployments.pose.registry import load_model_config
from tests.support.random_networks import (
    config_of,
    import_apis,
    quiet,
    random_detector,
    write_checkpoint,
)

CONFIG = load_model_config(Path(__file__).parents[3] / "config" / "model_config.json")
SMALL = CONFIG.entry("rtmpose_small")
RGB_MEAN, RGB_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """(file, parameters) of an RTMPose-s as MMPose builds it."""
    mmpose, _ = import_apis()
    with quiet():
        state = mmpose.init_model(config_of(SMALL), None, device="cpu").state_dict()
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "small.pth", state), state


def test_every_parameter_is_the_files(small):
    network = load_network(SMALL, small[0])
    found = network.module.state_dict()
    assert found.keys() == small[1].keys()
    assert all(torch.equal(found[name], value) for name, value in small[1].items())


def test_it_is_ready_for_inference_on_the_cpu(small):
    module = load_network(SMALL, small[0]).module
    assert not any(part.training for part in module.modules())
    assert not any(p.requires_grad for p in module.parameters())
    assert {p.device.type for p in module.parameters()} == {"cpu"}
    assert not any(isinstance(part, torch.nn.SyncBatchNorm) for part in module.modules())


def test_nothing_is_left_to_be_fetched(small):
    """RTMPose's config names a pretrained backbone at an address."""
    network = load_network(SMALL, small[0])
    assert "http" not in str(network.model_config)
    assert "download" not in str(network.model_config)


def test_normalization_is_the_configs(small, tmp_path):
    network = load_network(SMALL, small[0])
    assert_array_equal(network.mean, torch.tensor(RGB_MEAN))
    assert_array_equal(network.std, torch.tensor(RGB_STD))
    assert network.bgr_to_rgb
    entry = CONFIG.entry("rtmdet_nano")
    picture = np.random.default_rng(1).integers(0, 256, (1, 320, 320, 3), np.uint8)
    state = random_detector(entry, picture).state_dict()
    detector = load_network(entry, write_checkpoint(tmp_path / "net.pth", state))
    assert_array_equal(detector.mean, torch.tensor(RGB_MEAN[::-1]))
    assert_array_equal(detector.std, torch.tensor(RGB_STD[::-1]))
    assert not detector.bgr_to_rgb


def test_the_scope_of_the_process_stays_what_it_was(small):
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope("mmdet"):
        load_network(SMALL, small[0])
        assert DefaultScope.get_current_instance().scope_name == "mmdet"


@pytest.mark.parametrize("key", ["rtmpose_medium", "hrnet_w48", "rtmdet_nano"])
def test_weights_of_another_network_are_refused(small, key):
    with pytest.raises(WeightsCorruptError, match="does not fit the network") as caught:
        load_network(CONFIG.entry(key), small[0])
    assert str(small[0]) in str(caught.value)


@pytest.mark.parametrize(
    ("mm_config", "reason"),
    [
        ("", "a .pth file needs a config"),
        ("mmpose::configs/none.py", "mmpose has no configs/none.py"),
        ("mmyolo::configs/rtmdet.py", "mmyolo is not installed"),
    ],
)
def test_a_config_that_is_not_there_is_named(small, mm_config, reason):
    entry = replace(SMALL, mm_config=mm_config)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        load_network(entry, small[0])
    assert "models.rtmpose_small.mm_config" in caught.value.detail
