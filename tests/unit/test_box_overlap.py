"""Two measures of how far boxes overlap."""

import numpy as np
import pytest

from deployments.box_overlap import intersection_over_smaller, intersection_over_union

BOXES = {
    "same": ([0, 0, 10, 10], 1.0, 1.0),
    "half beside": ([5, 0, 15, 10], 1 / 3, 0.5),
    "half of it": ([0, 0, 10, 5], 0.5, 1.0),
    "inside": ([2, 2, 4, 4], 0.04, 1.0),
    "touching": ([10, 0, 20, 10], 0.0, 0.0),
    "apart": ([30, 30, 40, 40], 0.0, 0.0),
    "no area": ([3, 3, 3, 9], 0.0, 0.0),
}


@pytest.mark.parametrize(("box", "union", "smaller"), BOXES.values(), ids=BOXES)
def test_overlap_of_two_boxes(box, union, smaller):
    a, b = (np.array([x], np.float32) for x in ([0, 0, 10, 10], box))
    for first, second in ((a, b), (b, a)):
        assert intersection_over_union(first, second) == pytest.approx(union)
        assert intersection_over_smaller(first, second) == pytest.approx(smaller)


def test_all_pairs_by_broadcasting():
    boxes = np.array([box for box, _, _ in BOXES.values()], np.float32)
    table = intersection_over_union(boxes[:, None], boxes[None])
    assert table.shape == (len(boxes), len(boxes))
    assert table[0] == pytest.approx([union for _, union, _ in BOXES.values()])
    assert table == pytest.approx(table.T)
