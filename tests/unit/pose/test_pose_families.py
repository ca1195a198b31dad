"""Families of networks: the recipe of docs/contributor.md, followed in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.errors import ConfigurationError
from deployments.pose.families import FAMILIES
from deployments.pose.registry import load_model_config
from tests.conftest import ROOT

MODULE = """
from types import SimpleNamespace

from deployments.messages import ModelStatus
from deployments.pose.families.family import Family


class Ours(Family):
    def detector(self, entry, checkpoint, options):
        status = ModelStatus(role="detector", loaded=True, name=entry.name)
        return SimpleNamespace(status=status, read=checkpoint.read_text())


FAMILY = Ours("ours", codec="ours", formats=(".ours",), multiple=64, of_openmmlab=False)
"""
ENTRY = {
    "config": "ours-large",
    "name": "Ours",
    "task": "detect",
    "role": "primary",
    "family": "ours",
    "codec": "ours",
    "mm_config": "",
    "checkpoint": "large.ours",
    "input_size": [640, 384],
}
LOADING = """
import sys
from importlib import util
from pathlib import Path

spec = util.find_spec("deployments.pose.families")
spec.submodule_search_locations.append(sys.argv[1])  # as if the module were in the package
package = util.module_from_spec(spec)
sys.modules[spec.name] = package
spec.loader.exec_module(package)

from deployments.pose.loading import choose
from deployments.pose.model_options import EngineOptions
from deployments.pose.registry import load_model_config
from deployments.roles import ModelRole

registry = load_model_config(Path(sys.argv[1]) / "model_config.json")
model = choose(registry, ModelRole.DETECTOR, "ours").load([Path(sys.argv[1])], EngineOptions())
print(model.status.name, model.read)
"""


@pytest.fixture
def folder(tmp_path):
    """A family's module, a registry that has one of it, and its checkpoint."""
    registry = {"service": "mmpose", "version": "1.0.0", "models": {"ours": ENTRY}}
    (tmp_path / "model_config.json").write_text(json.dumps(registry))
    (tmp_path / "ours.py").write_text(MODULE)
    (tmp_path / "large.ours").write_text("weights")
    return tmp_path


def test_a_family_is_a_module_and_an_entry_of_the_registry(folder: Path):
    command = [sys.executable, "-c", LOADING, str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout, done.returncode) == ("Ours weights\n", 0), done.stderr


def test_without_its_module_the_entry_is_refused_by_name(folder: Path):
    with pytest.raises(ConfigurationError, match=r"models\.ours\.family: .*hrnet, movenet, rtm"):
        load_model_config(folder / "model_config.json")


def test_the_shipped_families():
    assert {name: family.codec for name, family in FAMILIES.items()} == {
        "hrnet": "heatmap",
        "movenet": "centers",
        "rtmdet": "boxes",
        "rtmpose": "simcc",
    }
