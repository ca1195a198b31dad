"""Suppression beside one pair of boxes after another, and as MMDetection calls it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from deployments.pose.codecs.nms import nms
from deployments.pose.compat import import_models, nms_kind

# Whole pixels, so that boxes touch, coincide and have no area, and IoU meets the threshold.
corner, side = st.integers(0, 20), st.integers(0, 12)
boxes = st.lists(st.tuples(corner, corner, side, side, st.integers(0, 5)), max_size=40)


def pairwise(found, score, threshold, offset):
    """Indices that stay, best first, in plain float32 arithmetic."""
    off, limit = np.float32(offset), np.float32(threshold)
    kept = []
    for i in torch.tensor(score).sort(descending=True)[1].tolist():
        x1, y1, x2, y2 = (np.float32(v) for v in found[i])
        for j in kept:
            a1, b1, a2, b2 = (np.float32(v) for v in found[j])
            wide = max(np.float32(0), min(x2, a2) - max(x1, a1) + off)
            high = max(np.float32(0), min(y2, b2) - max(y1, b1) + off)
            common = wide * high
            union = (x2 - x1 + off) * (y2 - y1 + off) + (a2 - a1 + off) * (b2 - b1 + off) - common
            if union > 0 and common / union > limit:
                break
        else:
            kept.append(i)
    return kept


@given(boxes, st.sampled_from([0.0, 0.25, 0.5, 0.6, 0.75]), st.sampled_from([0, 1]))
def test_keeps_what_a_comparison_of_all_pairs_keeps(rows, threshold, offset):
    found = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in rows], np.float32).reshape(-1, 4)
    score = np.array([s / 5 for *_, s in rows], np.float32)
    kept = nms(torch.from_numpy(found), torch.from_numpy(score), threshold, offset)
    assert kept.dtype == torch.int64
    assert kept.tolist() == pairwise(found, score, threshold, offset)


@pytest.mark.parametrize("seed", range(5))
def test_keeps_the_same_of_many_boxes_of_any_place(seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(-10, 300, (300, 2))
    found = np.hstack([low, low + rng.uniform(0, 120, (300, 2))]).astype(np.float32)
    score = rng.uniform(0, 1, 300).astype(np.float32)
    kept = nms(torch.from_numpy(found), torch.from_numpy(score), 0.6).tolist()
    assert kept == pairwise(found, score, 0.6, 0)
    assert 10 < len(kept) < 300
    assert (np.diff(score[kept]) <= 0).all()


def test_a_box_without_area_neither_goes_nor_drives_out():
    found = torch.tensor([[5.0, 5, 5, 5], [0, 0, 10, 10], [5, 5, 5, 5], [1, 1, 10, 10]])
    assert nms(found, torch.tensor([0.9, 0.8, 0.7, 0.6]), 0.5).tolist() == [0, 1, 2]


def test_overlap_of_just_the_threshold_stays():
    found = torch.tensor([[0.0, 0, 2, 1], [1, 0, 2, 1]])  # IoU 0.5
    score = torch.tensor([0.9, 0.8])
    assert nms(found, score, 0.5).tolist() == [0, 1]
    assert nms(found, score, 0.49).tolist() == [0]
    found = torch.tensor([[0.0, 0, 10, 10], [0, 0, 6, 10]])  # in float32, 0.6 is more than 0.6
    assert nms(found, score, 0.6).tolist() == [0, 1]


def test_half_precision_and_no_boxes():
    assert nms(torch.empty(0, 4), torch.empty(0), 0.5).tolist() == []
    found = torch.tensor([[0.0, 0, 10, 10], [0, 0, 9, 10]], dtype=torch.bfloat16)
    assert nms(found, torch.tensor([0.5, 0.9]), 0.5).tolist() == [1]


def test_mmcv_calls_it_where_it_is_not_compiled():
    import_models("mmdet")
    if nms_kind() == "compiled":
        pytest.skip("mmcv is compiled here")
    from mmcv.ops import batched_nms
    from mmcv.ops import nms as mmcvs

    found = torch.tensor([[0.0, 0, 10, 10], [0, 0, 9, 10], [20, 20, 30, 30]])
    score = torch.tensor([0.5, 0.9, 0.7])
    kept, index = mmcvs(found, score, 0.5)
    assert index.tolist() == [1, 2]
    assert_array_equal(kept[:, 4], score[[1, 2]])
    # Boxes of another class drive nobody out.
    settings = {"type": "nms", "iou_threshold": 0.5}
    _, index = batched_nms(found, score, torch.tensor([0, 1, 0]), settings)
    assert index.tolist() == [1, 2, 0]
