"""Training of the athlete's network: data on disk, the added loss, what is exported."""

import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from deployments.pose import compat
from tools.athlete.sample import portrait
from tools.training import data
from tools.training.checkpoint_export import export


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(data, "SHARD", 2)


def files_of(folder):
    return {p.name: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_pictures_are_a_coco_data_set(small_shards, tmp_path, capsys):
    coco = COCO(data.render(3, tmp_path, first=7, workers=1))
    assert coco.getImgIds() == [7, 8, 9]
    for annotation in coco.loadAnns(coco.getAnnIds()):
        sample = portrait(annotation["image_id"])
        image = coco.loadImgs(annotation["image_id"])[0]
        picture = cv2.imread(str(tmp_path / "images" / image["file_name"]))
        assert picture.shape == sample.picture.shape
        assert np.abs(picture[..., ::-1].astype(int) - sample.picture).mean() < 20
        points = np.array(annotation["keypoints"]).reshape(17, 3)
        assert points[:, :2] == pytest.approx(sample.keypoints[0], abs=0.01)
        x, y, width, height = annotation["bbox"]
        assert [x, y, x + width, y + height] == pytest.approx(sample.boxes[0], abs=0.02)
        inside = (points[:, :2] >= 0) & (points[:, :2] <= (image["width"] - 1, image["height"] - 1))
        assert (points[:, 2] == 2 * inside.all(1)).all()
        assert annotation["num_keypoints"] == inside.all(1).sum()
    capsys.readouterr()


def test_rendering_goes_on_where_it_stopped(small_shards, tmp_path, capsys):
    whole = data.render(4, tmp_path, workers=1).read_text()
    (tmp_path / "shard-00000002.json").unlink()
    before = files_of(tmp_path)
    assert data.render(4, tmp_path, workers=1).read_text() == whole
    after = files_of(tmp_path)
    kept = {name for name in before if after[name] == before[name]}
    assert {"00000000.jpg", "00000001.jpg", "shard-00000000.json"} <= kept
    assert not {"00000002.jpg", "00000003.jpg"} & kept
    assert "1 of 1 shards rendered" in capsys.readouterr().out.splitlines()[-1]


def test_what_is_seen_of_a_seed_never_changes():
    assert (portrait(11).picture == portrait(11).picture).all()
    assert portrait(11).picture.shape != portrait(12).picture.shape


def test_processes_share_a_training(tmp_path):
    command = [sys.executable, "-m", "tools.train_athlete_network", "--work", str(tmp_path)]
    command += ["--pictures", "80"]  # one batch; two are held out
    subprocess.run([*command, "render", "pose"], check=True, timeout=600)
    last = torch.load(tmp_path / "pose" / "epoch_5.pth", weights_only=False)
    assert last["meta"]["iter"] == 5
    assert all(value.isfinite().all() for value in last["state_dict"].values())
    assert not any(name.startswith("module.") for name in last["state_dict"])


def test_the_added_loss_is_least_where_the_points_are():
    compat.import_models("mmpose")
    from tools.training.coarse import cross_entropy

    x, y = torch.zeros(1, 2, 12), torch.zeros(1, 2, 16)
    x[0, 0, 4], y[0, 0, 9] = 1, 1  # cell (1, 2) of 3 by 4, four bins to a cell
    x[0, 1, 11], y[0, 1, 0] = 1, 1  # cell (2, 0)
    right = torch.zeros(1, 2, 4, 3)
    right[0, 0, 2, 1] = right[0, 1, 0, 2] = 3.0
    one, both = torch.tensor([[1.0, 0.0]]), torch.ones(1, 2)
    missed = np.log(np.exp(3) + 11) - 3
    assert cross_entropy(right, x, y, both).item() == pytest.approx(missed, abs=1e-5)
    assert cross_entropy(torch.zeros_like(right), x, y, both).item() == pytest.approx(np.log(12))
    wrong = right.flip(1)
    assert cross_entropy(wrong, x, y, both).item() == pytest.approx(missed + 3, abs=1e-5)
    right[0, 1] = wrong[0, 1]
    assert cross_entropy(right, x, y, one).item() == pytest.approx(missed, abs=1e-5)
    assert cross_entropy(right, x, y, 0 * both).item() == 0


def test_the_averaged_weights_are_exported_in_half_precision(tmp_path):
    compat.import_models("mmpose")
    from mmengine.hooks import EMAHook
    from mmengine.model import ExponentialMovingAverage

    model = torch.nn.Linear(1, 3)
    model.register_buffer("num_batches_tracked", torch.tensor(4))
    model.data_preprocessor, model.cells = torch.nn.BatchNorm1d(1), torch.nn.Linear(1, 1)
    hook = EMAHook()
    hook.ema_model = ExponentialMovingAverage(model)
    hook.ema_model.module.bias.data = torch.tensor([1.0, 2.0, 1 / 3])
    last = {"state_dict": model.state_dict()}
    hook.before_save_checkpoint(None, last)
    torch.save(last, tmp_path / "epoch_1.pth")
    target = tmp_path / "made" / "model.pth"
    digest = export(tmp_path / "epoch_1.pth", target, {"data": "athlete"})
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest()
    content = torch.load(target, weights_only=True)
    assert content["meta"] == {"data": "athlete"}
    assert set(content["state_dict"]) == {"weight", "bias"}
    assert content["state_dict"]["bias"].dtype == torch.float16
    assert content["state_dict"]["bias"].tolist() == pytest.approx([1, 2, 1 / 3], abs=1e-3)
