"""Operators of mmcv that a process uses, and the substitute for xtcocotools."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from deployments.pose import compat
from deployments.pose.codecs.nms import nms
from deployments.pose.compat import compiled_cuda, import_models, nms_kind

OPERATORS = "mmcv._ext"
ROOT = Path(__file__).parents[3]

NOT_INSTALLED = """
import sys

class NotInstalled:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "xtcocotools":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled)
"""


@pytest.fixture
def undecided(monkeypatch):
    """A process that has not chosen yet; undone afterwards."""
    import_models("mmpose")
    monkeypatch.delitem(sys.modules, OPERATORS)


@pytest.fixture
def install(monkeypatch, tmp_path, undecided):
    """Put a module in the place of mmcv's compiled operators."""
    import mmcv

    def write(source):
        (tmp_path / "_ext.py").write_text(source)
        monkeypatch.setattr(mmcv, "__path__", [str(tmp_path)])
        monkeypatch.setattr(mmcv, "_ext", None, raising=False)  # which importing it sets

    return write


def compiled(cuda):
    return f"nms = None\ndef get_compiling_cuda_version(): return {cuda!r}\n"


def test_models_of_both_packages_are_registered():
    for package, name in (("mmpose", "TopdownPoseEstimator"), ("mmdet", "RTMDet")):
        models = import_models(package)
        assert models.__name__ == f"{package}.models"
        registry = sys.modules[f"{package}.registry"].MODELS
        assert name in registry


def test_without_a_compiled_mmcv_the_substitute_takes_its_place(undecided, monkeypatch):
    monkeypatch.setattr(compat, "_compiled_ops_work", lambda: False)
    import_models("mmdet")
    assert sys.modules[OPERATORS].nms is nms
    assert nms_kind() == "python"
    assert not compiled_cuda()


def test_an_operator_that_is_not_there_refuses_by_name(undecided):
    import_models("mmdet", use_compiled_ops=False)
    with pytest.raises(NotImplementedError, match="'roi_align_forward' needs a compiled mmcv"):
        sys.modules[OPERATORS].roi_align_forward(1, pooled=2)
    assert not hasattr(sys.modules[OPERATORS], "__wrapped__")


@pytest.mark.parametrize(("cuda", "on_gpu"), [("13.0", True), ("not available", False)])
def test_compiled_operators_are_used_where_they_work(install, cuda, on_gpu):
    install(compiled(cuda))
    import_models("mmpose")
    assert nms_kind() == "compiled"
    assert compiled_cuda() is on_gpu


def test_compiled_operators_are_left_alone_when_told(install):
    install(compiled("13.0"))
    import_models("mmpose", use_compiled_ops=False)
    assert nms_kind() == "python"


def test_the_first_choice_holds_for_the_process(install):
    install(compiled("13.0"))
    import_models("mmpose", use_compiled_ops=False)
    import_models("mmdet", use_compiled_ops=True)
    assert nms_kind() == "python"


def test_operators_that_do_not_load_are_told_of_and_replaced(install, caplog):
    install("raise ImportError('undefined symbol: _ZN3c10')")
    with caplog.at_level(logging.WARNING, "mmpose_service"):
        import_models("mmpose")
    assert nms_kind() == "python"
    assert "undefined symbol" in caplog.text


def test_operators_for_the_cpu_are_not_used_beside_a_gpu(install, monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    install(compiled("not available"))
    with caplog.at_level(logging.WARNING, "mmpose_service"):
        import_models("mmpose")
    assert nms_kind() == "python"
    assert "for the CPU only" in caplog.text
    assert not compiled_cuda()


def test_before_any_import_it_is_the_substitute(undecided):
    assert nms_kind() == "python"
    assert not compiled_cuda()


def without_xtcocotools(program):
    """Return what ``program`` prints in a process that cannot import xtcocotools."""
    command = [sys.executable, "-W", "ignore", "-c", NOT_INSTALLED + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_networks_are_loaded_without_xtcocotools():
    program = """
from deployments.pose.network import load_network
from deployments.pose.registry import load_model_config
from tools.athlete.trained_network import CHECKPOINT, KEY, REGISTRY
entry = load_model_config(REGISTRY).entry(KEY)
print(type(load_network(entry, CHECKPOINT).module).__name__)
"""
    assert without_xtcocotools(program) == "TopdownPoseEstimator\n"


def test_without_its_substitute_mmpose_would_not_be_imported():
    program = """
from deployments.pose import compat
compat._replace_xtcocotools = lambda: None
try:
    compat.import_models("mmpose")
except ModuleNotFoundError as error:
    print(error)
"""
    assert without_xtcocotools(program) == "xtcocotools\n"


def test_annotations_are_read_by_pycocotools_and_its_evaluation_refuses():
    program = """
import pycocotools.coco, pycocotools.mask
from deployments.pose.compat import import_models
import_models("mmpose")
from mmpose.datasets.datasets.base import base_coco_style_dataset
from mmpose.datasets.transforms import bottomup_transforms
from mmpose.evaluation.metrics import coco_metric
print(base_coco_style_dataset.COCO is pycocotools.coco.COCO)
print(bottomup_transforms.cocomask is pycocotools.mask)
try:
    coco_metric.COCOeval()
except NotImplementedError as error:
    print(error)
"""
    assert without_xtcocotools(program).splitlines() == [
        "True",
        "True",
        "MMPose's COCOeval needs xtcocotools; `mmpose-service eval` evaluates by pycocotools",
    ]
