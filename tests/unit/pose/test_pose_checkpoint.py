"""Checkpoints: published ones are read, nothing in a file is run, and wrong ones say why."""

import builtins
import io
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from deployments.errors import WeightsCorruptError
from deployments.pose.checkpoint import load_state, read_state
from tests.support.random_networks import write_checkpoint


def network():
    torch.manual_seed(7)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def assert_same(found, expected):
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def pickles_changed(path, change):
    """Rewrite the pickle inside a checkpoint."""
    with zipfile.ZipFile(path) as archive:
        parts = {item: archive.read(item) for item in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, change(content) if name.endswith("data.pkl") else content)
    return path


def write_bare(path, state):
    torch.save(state, path)
    return path


def write_old(path, state):
    torch.save({"state_dict": state, "meta": {}}, path, _use_new_zipfile_serialization=False)
    return path


def write_numpy_1(path, state):
    """As files from before numpy 2, whose values are pickled under other module names."""
    write_checkpoint(path, state)
    renamed = pickles_changed(path, lambda p: p.replace(b"numpy._core", b"numpy.core"))
    assert b"numpy.core.multiarray" in renamed.read_bytes()
    return renamed


@pytest.mark.parametrize("write", [write_checkpoint, write_bare, write_old, write_numpy_1])
def test_every_form_of_a_checkpoint_is_read(tmp_path, write):
    expected = network().state_dict()
    found = read_state(write(tmp_path / "net.pth", expected))
    assert_same(found, expected)


def test_numpy_values_of_all_common_types_are_read(tmp_path):
    values = [np.dtype(kind).type(1) for kind in ("u1", "i4", "i8", "f4", "f8", "?")]
    meta = {"scalars": values, "arrays": [np.ones(3, v.dtype) for v in values]}
    torch.save({"state_dict": network().state_dict(), "meta": meta}, tmp_path / "net.pth")
    assert len(read_state(tmp_path / "net.pth")) == 9


class Call:
    """Pickled as the call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (os.system, ("touch {}",), "posix.system"),
        (os.mkdir, ("{}",), "posix.mkdir"),
        (builtins.exec, ("open({!r}, 'w')",), "exec"),
        (builtins.eval, ("open({!r}, 'w')",), "eval"),
        (io.open, ("{}", "w"), f"{io.open.__module__}.open"),
        (np.save, ("{}", 1), "numpy.save"),
        (np.memmap, ("{}", "float32", "w+", 0, 4), "numpy.memmap"),
    ],
    ids=["system", "mkdir", "exec", "eval", "open", "save", "memmap"],
)
@pytest.mark.parametrize("where", ["meta", "state_dict", "bare"])
def test_a_file_that_calls_something_is_refused_and_nothing_runs(
    tmp_path, function, arguments, named, where
):
    mark = tmp_path / "it-ran"
    evil = Call(function, *[a.format(str(mark)) if isinstance(a, str) else a for a in arguments])
    content = {"state_dict": network().state_dict(), "meta": {}}
    content = evil if where == "bare" else {**content, where: {"weight": evil}}
    path = tmp_path / "net.pth"
    torch.save(content, path)
    with pytest.raises(WeightsCorruptError, match="not read from checkpoints") as caught:
        read_state(path)
    assert caught.value.detail.endswith(f": {named}")
    assert path.name in caught.value.detail
    assert str(path.parent) not in caught.value.detail
    assert str(path) in str(caught.value)
    assert caught.value.facts["file"] == "net.pth"
    assert sorted(tmp_path.iterdir()) == [path]


def test_getattr_which_training_logs_need_reaches_nothing_else(tmp_path):
    path = tmp_path / "net.pth"
    for owner in ([np.dtype("f4")], np.ones(2), OrderedDict()):
        torch.save({"state_dict": {}, "meta": Call(getattr, owner, "__class__")}, path)
        with pytest.raises(WeightsCorruptError, match="__class__"):
            read_state(path)


def test_a_plain_pickle_is_refused(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(pickle.dumps({"state_dict": Call(os.mkdir, str(tmp_path / "it-ran"))}))
    with pytest.raises(WeightsCorruptError):
        read_state(path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_list_of_what_is_read_is_not_left_open(tmp_path):
    path = write_checkpoint(tmp_path / "net.pth", network().state_dict())
    read_state(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def damaged(kind, path):
    whole = write_checkpoint(path, network().state_dict()).read_bytes()
    return {
        "empty": b"",
        "html": b"\n<!DOCTYPE html><html><title>Log in</title></html>",
        "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "half": whole[: len(whole) // 2],
        "cut": whole[:-1],
        "zip": zip_of("readme.txt"),
        "noise": np.random.default_rng(0).bytes(5000),
    }[kind]


def zip_of(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "nothing")
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "it is empty"),
        ("html", "it is a web page"),
        ("text", "damaged or not a torch checkpoint"),
        ("half", "damaged or not a torch checkpoint"),
        ("cut", "damaged or not a torch checkpoint"),
        ("zip", "damaged or not a torch checkpoint"),
        ("noise", "damaged or not a torch checkpoint"),
    ],
)
def test_a_damaged_file_says_what_it_is(tmp_path, kind, reason):
    path = tmp_path / "net.pth"
    path.write_bytes(damaged(kind, path))
    with pytest.raises(WeightsCorruptError, match=reason) as caught:
        read_state(path)
    assert path.name in caught.value.detail
    assert str(path.parent) not in caught.value.detail
    assert str(path) in str(caught.value)
    assert "\n" not in caught.value.detail
    assert "weights_only" not in caught.value.detail  # torch's advice to load it unsafely
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([torch.ones(1)], "no state_dict"),
        ({}, "no state_dict"),
        ({"state_dict": {}}, "no state_dict"),
        ({"state_dict": [1]}, "no state_dict"),
        ({"state_dict": {"a": torch.ones(1), "b": 3, "c": "x"}}, "not tensors: b, c"),
        ({"meta": {}, "epoch": 3}, "not tensors: meta, epoch"),
    ],
    ids=["list", "empty", "empty state", "state is a list", "values", "meta only"],
)
def test_a_file_without_parameters_says_so(tmp_path, content, reason):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(WeightsCorruptError, match=reason):
        read_state(tmp_path / "net.pth")


def test_parameters_are_put_into_the_network(tmp_path):
    state = network().state_dict()
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    load_state(other, state, tmp_path / "net.pth")
    assert_same(other.state_dict(), state)


def test_what_inference_does_not_use_may_come_and_go(tmp_path):
    state = network().state_dict()
    del state["1.num_batches_tracked"]
    state["data_preprocessor.mean"] = torch.ones(3)
    load_state(network(), state, tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"0.weight": None}, "parameters are missing: 0.weight"),
        ({"1.running_mean": None, "1.bias": None}, "missing: 1.bias, 1.running_mean"),
        ({"3.weight": torch.ones(1)}, "parameters are unknown: 3.weight"),
        ({"2.bias": torch.ones(3)}, "have another shape: 2.bias (3,) for (2,)"),
        ({"2.bias": torch.ones(2, 1)}, "have another shape: 2.bias (2, 1) for (2,)"),
        ({"2.bias": torch.tensor([1.0, float("nan")])}, "not finite: 2.bias"),
        ({"1.running_var": torch.full((4,), float("inf"))}, "not finite: 1.running_var"),
        ({f"more.{i}": torch.ones(1) for i in range(5)}, "more.0, more.1, more.2 and 2 more"),
        ({"0.bias": None, "x": torch.ones(1)}, "missing: 0.bias; parameters are unknown: x"),
    ],
    ids=["missing", "two", "unknown", "shape", "rank", "nan", "inf", "many", "renamed"],
)
def test_parameters_that_do_not_fit_are_named(tmp_path, change, reason):
    whole = network()
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    state = {n: v for n, v in {**before, **change}.items() if v is not None}
    with pytest.raises(WeightsCorruptError, match="does not fit the network") as caught:
        load_state(whole, state, tmp_path / "net.pth")
    assert reason in caught.value.detail
    assert str(tmp_path) not in caught.value.detail
    assert_same(whole.state_dict(), before)
