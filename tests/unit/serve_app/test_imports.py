"""What a process imports before it serves: each replica of the graph pays for its own."""

import os
import subprocess
import sys

import pytest
import torch

from serve_app import versions
from serve_app.setting_types import ROOT

HEAVY = ("torch", "scipy.signal", "scipy.stats", "mmengine", "openvino", "pyarrow")


@pytest.mark.parametrize("module", ["serve_app.app", "serve_app.cli.main"])
def test_the_graph_and_the_command_line_import_no_engine_and_no_parts_of_scipy(module):
    # Ray imports pandas where it is installed, which is only for tests.
    told = "import sys; sys.modules['pandas'] = None; "
    told += f"import {module}; print([m for m in {HEAVY} if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def asked(monkeypatch):
    """Whether torch is asked, which says that there is a GPU."""
    calls = []
    versions._gpu_here.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(calls.append(1)) or True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    monkeypatch.setattr(sys, "platform", "linux")
    yield calls
    versions._gpu_here.cache_clear()


def test_torch_is_not_asked_for_a_gpu_without_a_driver(asked, monkeypatch, tmp_path):
    monkeypatch.setattr(versions, "_DRIVERS", (str(tmp_path / "none"),))
    assert versions.system(None).gpu_device is None
    assert not asked


def test_torch_is_asked_for_a_gpu_where_a_driver_is(asked, monkeypatch, tmp_path):
    monkeypatch.setattr(versions, "_DRIVERS", (str(tmp_path / "none"), str(tmp_path)))
    assert versions.system(None).gpu_device == "Tesla T4"
    assert asked


def test_torch_is_asked_for_a_gpu_on_other_systems(asked, monkeypatch):
    monkeypatch.setattr(versions, "_DRIVERS", ())
    monkeypatch.setattr(sys, "platform", "win32")
    assert versions.system(None).cuda_available
    assert asked
