"""The simulated cluster: time that jumps, work that is conserved, and what more nodes can do."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cluster_simulation import Cluster, Costs, Pool, process, video
from bench.virtual_time import simulate

COSTS = Costs(
    decode_core=0.004,
    pose_accelerator=0.002,
    pose_core=0.0,
    render_core=0.02,
    clip_core=0.0005,
    hop=0.0,
)


def run(videos, cluster, costs=COSTS, annotated=True, at_once=1000):
    outcome, seconds = simulate(
        process(videos, cluster, costs, annotated=annotated, at_once=at_once)
    )
    assert seconds == outcome.seconds
    return outcome


def test_waiting_takes_the_time_it_says_in_order():
    told = []

    async def say(after):
        await asyncio.sleep(after)
        told.append((asyncio.get_running_loop().time(), after))

    async def all_of_them():
        await asyncio.gather(say(3600.0), say(1.5), say(0.0))

    _, seconds = simulate(all_of_them())
    assert seconds == 3600.0
    assert told == [(0.0, 0.0), (1.5, 1.5), (3600.0, 3600.0)]


def test_what_would_wait_for_ever_is_told():
    async def forever():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="everything waits"):
        simulate(forever())


@pytest.mark.parametrize(("servers", "seconds"), [(1, 6.0), (2, 4.0), (3, 3.0), (9, 3.0)])
def test_servers_take_one_piece_of_work_each(servers, seconds):
    async def three():
        pool = Pool(servers)
        await asyncio.gather(pool.work(1.0), pool.work(2.0), pool.work(3.0))
        return pool.busy_s

    assert simulate(three()) == (6.0, seconds)


def test_one_core_and_one_segment_take_the_sum_of_the_work_that_does_not_overlap():
    cluster = Cluster(nodes=1, cores=1, call_frames=1000)
    outcome = run([video(2.0)], cluster)
    assert outcome.seconds == pytest.approx(60 * (0.004 + 0.002 + 0.0005 + 0.02))
    assert outcome.first_segment_s == pytest.approx([60 * 0.006])
    assert run([video(2.0)], cluster, annotated=False).seconds == pytest.approx(60 * 0.0065)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.floats(1, 40), min_size=1, max_size=5),
    nodes=st.integers(1, 5),
    cores=st.integers(1, 4),
    in_flight=st.integers(1, 9),
)
def test_work_is_conserved_and_no_faster_than_the_servers_allow(lengths, nodes, cores, in_flight):
    videos = [video(s) for s in lengths]
    frames = sum(v.frame_count for v in videos)
    cluster = Cluster(nodes, cores, segments_in_flight=in_flight)
    outcome = run(videos, cluster)
    on_cores = frames * (0.004 + 0.02 + 0.0005)
    assert outcome.core_s == pytest.approx(on_cores)
    assert outcome.accelerator_s == pytest.approx(frames * 0.002)
    least = max(on_cores / (nodes * cores), frames * 0.002 / nodes)
    alone = frames * (0.004 + 0.002 + 0.02 + 0.0005)
    assert least * (1 - 1e-9) <= outcome.seconds <= alone * (1 + 1e-9)
    assert len(outcome.first_segment_s) == len(videos)


def test_one_video_uses_no_more_than_its_segments_in_flight():
    one = [video(600.0)]
    few, many = (run(one, Cluster(n, 4, segments_in_flight=4)).seconds for n in (4, 16))
    assert many == pytest.approx(few, rel=0.05)
    assert run(one, Cluster(16, 4, segments_in_flight=64)).seconds < few / 5


def test_many_videos_use_all_nodes():
    def rate(nodes):
        videos = [video(60.0)] * (8 * nodes)
        return len(videos) / run(videos, Cluster(nodes, 4)).seconds

    assert rate(8) == pytest.approx(8 * rate(1), rel=0.05)


def test_a_limit_on_videos_at_once_holds_back_the_rest():
    videos = [video(4.0)] * 6
    cluster = Cluster(nodes=6, cores=1)
    assert run(videos, cluster, at_once=1).seconds == pytest.approx(
        6 * run(videos[:1], cluster).seconds
    )
    assert run(videos, cluster, at_once=6).seconds < 2 * run(videos[:1], cluster).seconds


def test_a_slow_network_shows_in_the_first_segment():
    near, far = (
        run(
            [video(4.0)], Cluster(1, 4, pose_calls_in_flight=100), replace(COSTS, hop=hop)
        ).first_segment_s[0]
        for hop in (0.0, 0.5)
    )
    assert far - near == pytest.approx(0.5, abs=0.05)
