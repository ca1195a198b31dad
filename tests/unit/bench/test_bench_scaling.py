"""Costs of a simulated cluster: all that was measured of a frame, in the pool that does it."""

import pytest

from bench.cluster_simulation import Cluster, process, video
from bench.scaling import costs_from
from bench.virtual_time import simulate

CPU_S = {
    "probe": 1.0,
    "decode": 2.0,
    "decode + letterbox": 2.5,
    "detect": 3.0,
    "decode + crop": 4.0,
    "pose (1.20 people a frame)": 5.0,
    "blur": 0.25,
    "biomechanics": 6.0,
    "answer": 7.0,
    "render: decode, draw, encode": 8.0,
    "join": 9.0,
}
STAGES = [{"stage": stage, "cpu_s": cpu_s, "frames": 100} for stage, cpu_s in CPU_S.items()]


def test_a_frame_costs_what_its_stages_cost_and_is_decoded_once():
    costs = costs_from(STAGES, 1.2, None, None, 4)
    assert costs.decode_core == pytest.approx(0.0475)
    assert (costs.pose_core, costs.pose_accelerator) == (0.08, 0.0)
    assert costs.clip_core == pytest.approx(0.14)
    assert (costs.render_core, costs.join_core) == (0.08, 0.09)


def test_an_accelerator_takes_the_networks_from_the_cores():
    costs = costs_from(STAGES, 1.2, 1000.0, 500.0, 4)
    assert costs.pose_core == 0.0
    assert costs.pose_accelerator == pytest.approx(1.2 / 1000 + 1 / (4 * 500))


@pytest.mark.parametrize("annotated", [True, False])
def test_a_video_takes_the_cores_as_long_as_all_its_stages(annotated):
    costs = costs_from(STAGES, 1.2, None, None, 4)
    clip = video(10.0)
    outcome, _ = simulate(process([clip], Cluster(1, 2), costs, annotated=annotated, at_once=1))
    left_out = 0.0 if annotated else CPU_S["render: decode, draw, encode"] + CPU_S["join"]
    all_s = sum(CPU_S.values()) - CPU_S["decode"] * 2 - left_out
    assert outcome.core_s == pytest.approx(all_s * clip.frame_count / 100)
