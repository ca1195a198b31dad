"""The notebook from video to report: its code cells, run one after the other as they stand."""

import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from tests.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "video_to_report.ipynb"
CELLS = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]


def code_of(cell):
    assert cell["cell_type"] in ("markdown", "code")
    return "".join(cell["source"]) if cell["cell_type"] == "code" else ""


def test_it_is_stripped_of_outputs():
    document = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in CELLS]
    assert len(set(ids)) == len(ids)
    for cell in CELLS:
        if code_of(cell):
            assert (cell["outputs"], cell["execution_count"]) == ([], None), cell["id"]


@pytest.mark.skipif(
    not Path(sys.executable).with_name("mmpose-service").is_file(),
    reason="the command is not installed in this environment",
)
@pytest.mark.usefixtures("demo_video", "movenet")
def test_it_runs(tmp_path, monkeypatch, capsys):
    """On a second and a half of the demonstration video, by the default network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    matplotlib.use("agg")
    names = {"__name__": "__main__"}
    for cell in CELLS:
        exec(compile(code_of(cell), cell["id"], "exec"), names)
    printed = capsys.readouterr().out
    frames = len(names["clip"].times_s)
    assert f"times_s ({frames},) keypoints ({frames}, 17, 2)" in printed
    assert np.isfinite(names["elbow"].value).any()
    assert len(names["axes"].lines) == 2
    names["plt"].close("all")
    report = next((tmp_path / "out").glob("*.report.html"))
    assert printed.endswith(f"{report.as_uri()}\n")
    assert "data:image/jpeg" in report.read_text("utf-8")
