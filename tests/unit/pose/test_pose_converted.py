"""Checkpoints run by OpenVINO: the same answers as torch's, kept for the next process."""

import logging

import openvino
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from deployments.errors import ConfigurationError, WeightsCorruptError
from deployments.pose import loading
from deployments.pose.engines import converted
from deployments.pose.engines.openvino_engine import OpenVinoPose
from deployments.pose.model_options import EngineOptions
from deployments.pose.network import Network
from tests.support.dot_networks import (
    KEYPOINTS,
    MEAN,
    STD,
    DotNetwork,
    entry,
    keypoints,
    pictures,
    score,
)
from tests.unit.pose.test_pose_torch_engine import Section, decoder


class AnyNumber(DotNetwork):
    """The network as it is traced for any number of pictures."""

    def head(self, red):
        sides = (red.amax(1) @ self.x, red.amax(2) @ self.y)
        return tuple(s.reshape(-1, KEYPOINTS, s.shape[-1] // KEYPOINTS) for s in sides)


DOTS = [(3, 5), (10, 40), (20, 0), (7, 47), (15, 24)]


@pytest.fixture
def build(monkeypatch, tmp_path):
    """An engine around a module instead of a network from a file; counts how often it is made."""
    made = []

    def build_engine(module=None, out_channels=17, content=b"weights", **options):
        config = Section(
            head=Section(decoder=decoder(), out_channels=out_channels),
            data_preprocessor=Section(mean=MEAN, std=STD, bgr_to_rgb=True),
        )

        def load_network(*_, **__):
            made.append(1)
            return Network(
                module=(module or AnyNumber()).eval(),
                model_config=config,
                mean=torch.tensor(MEAN),
                std=torch.tensor(STD),
                bgr_to_rgb=True,
            )

        monkeypatch.setattr(converted, "load_network", load_network)
        monkeypatch.setattr(converted, "read_model_config", lambda _: config)
        checkpoint = tmp_path / "dot.pth"
        checkpoint.write_bytes(content)
        return OpenVinoPose(
            entry(), checkpoint, EngineOptions(**{"threads": 1, **options}), "rtmpose"
        )

    build_engine.made = made
    return build_engine


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_points_and_scores_are_the_dots(build, batch):
    model = build(batch=batch)
    poses = model.infer(pictures(DOTS))
    assert_allclose(poses.keypoints, keypoints(DOTS))
    assert_allclose(poses.raw_score, score(), rtol=1e-5)
    assert (model.status.engine, model.status.device) == ("openvino", "cpu")
    assert model.infer(pictures([])).keypoints.shape == (0, 17, 2)


def test_a_converted_network_outlives_the_one_it_was_made_of(build):
    module = AnyNumber()
    model = build(module)
    module.x.data.zero_()
    module.y.data.zero_()
    assert_allclose(model.infer(pictures(DOTS)).keypoints, keypoints(DOTS))


def test_the_next_process_finds_it_and_builds_nothing(build, tmp_path):
    cache = tmp_path / "cache"
    first = build(cache_dir=cache).infer(pictures(DOTS))
    second = build(cache_dir=cache).infer(pictures(DOTS))
    assert len(build.made) == 1
    assert_array_equal(first.keypoints, second.keypoints)
    assert_array_equal(first.raw_score, second.raw_score)
    assert sorted(p.suffix for p in cache.iterdir()) == [".bin", ".xml"]
    assert cache.stat().st_mode & 0o077 == 0


def test_other_weights_are_another_network(build, tmp_path):
    for content in (b"old", b"new"):
        build(cache_dir=tmp_path / "cache", content=content)
    assert len(build.made) == 2


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_what_is_torn_is_made_anew(build, tmp_path, suffix):
    cache = tmp_path / "cache"
    build(cache_dir=cache)
    (torn,) = cache.glob(f"*{suffix}")
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    assert_allclose(build(cache_dir=cache).infer(pictures(DOTS)).keypoints, keypoints(DOTS))
    build(cache_dir=cache)
    assert len(build.made) == 2


def test_a_folder_that_cannot_be_written_costs_time_alone(build, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file")
    with caplog.at_level(logging.WARNING):
        model = build(cache_dir=tmp_path / "cache")
    assert_allclose(model.infer(pictures(DOTS)).keypoints, keypoints(DOTS))
    assert "cannot be kept" in caplog.text


def test_a_config_that_does_not_fit_the_entry_is_refused_before_anything_is_built(build):
    with pytest.raises(ConfigurationError, match="16 keypoints"):
        build(out_channels=16)
    assert not build.made


def test_what_openvino_cannot_convert_is_refused_by_name(build, monkeypatch):
    def fail(*_):
        raise RuntimeError("Exception from src/frontend.cpp:1:\nno conversion rule for aten::foo")

    monkeypatch.setattr(openvino.frontend.FrontEndManager, "load_by_framework", fail)
    with pytest.raises(WeightsCorruptError, match=r"cannot convert it \(no conversion rule"):
        build()


def test_a_network_traced_for_so_many_pictures_alone_is_refused(build):
    with pytest.raises(WeightsCorruptError, match="fixed number of pictures"):
        build(DotNetwork())


@pytest.mark.parametrize(
    ("engine", "device", "gpus", "expected"),
    [
        ("auto", "auto", 0, True),
        ("auto", "cpu", 1, True),
        ("auto", "auto", 1, False),
        ("auto", "cuda:0", 1, False),
        ("torch", "cpu", 0, False),
        ("openvino", "auto", 1, True),
    ],
)
def test_what_runs_a_checkpoint_follows_from_the_device(
    monkeypatch, engine, device, gpus, expected
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert loading._by_openvino(EngineOptions(engine=engine, device=device)) is expected


def test_half_precision_is_bf16_where_the_cpu_has_it(build):
    model = build(precision="mixed")
    abilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert model.status.precision == ("bf16" if "BF16" in abilities else "fp32")
    poses = model.infer(pictures(DOTS))
    assert_array_equal(poses.keypoints, keypoints(DOTS))
