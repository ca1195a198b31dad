"""What is made of the graph's figures, and what becomes of measurements without time."""

import time

import httpx
import pytest

from bench.serve_overhead import PARTS, Clock, stages_cpu_s
from bench.serve_table import rows

NOTHING = dict.fromkeys(PARTS)
ALL = {
    "ready_s": 12.34,
    "idle_s": 9.0,
    "load_s": 4.0,
    "at_rest": 0.181,
    "in_turn": {"graph_s": [11.0, 10.0, 99.0], "process_s": [10.0, 10.0, 10.0]},
    "efficiency": {"graph_s": [10.0], "stages_cpu_s": 18.0},
    "first_segment": {"alone_s": [2.0], "one_at_once_s": [2.1], "usual_s": [5.0, 3.0, 4.0]},
    "batches": {
        "seconds": [20.0] * 8,
        "sizes": {16.0: 3.0, 8.0: 1.0},
        "waits_ms": {0.5: 90.0, 5.5: 10.0},
        "most": 16,
        "timeout_s": 0.005,
    },
    "replicas": {"one": [100.0, 90.0, 110.0], "two": [190.0, 180.0, 200.0]},
    "bare": {"one": [100.0], "two": [195.0]},
}


@pytest.mark.parametrize(
    ("what", "says", "target"),
    [
        ("cold start of the graph", "12.3 s", "15 s"),
        ("  of as many deployments that do nothing", "9.0 s", ""),
        ("  its models in one new process", "4.0 s", ""),
        ("CPUs that it keeps busy while nothing is asked", "0.18", ""),
        ("the video by the graph", "11.00 s (10.00 to 99.00)", ""),
        ("  the graph takes more", "+10.0 %", "10 %"),
        ("stages alone / 2 CPUs of the graph", "0.90", "0.9"),
        ("first segment beyond its own work", "2.00 s", "2 s"),
        ("  one at a time", "0.10 s", ""),
        ("batches filled, 8 videos", "88 %", "70 %"),
        ("  99 of 100 wait at most", "5.5 ms", "5 ms"),
        ("two replicas of one thread against one", "1.90", "1.8"),
        ("  crops a second of one", "100.00 (90.00 to 110.00)", ""),
        ("  two processes of the bare network against one", "1.95", ""),
    ],
)
def test_a_figure_is_told_with_its_target(what, says, target):
    assert (what, says, target) in rows(ALL, cpus=2)


@pytest.mark.parametrize("left_out", NOTHING)
def test_what_was_left_out_is_not_told(left_out):
    told, all_told = rows(ALL | {left_out: None}, 2), rows(ALL, 2)
    assert 0 < len(told) < len(all_told)
    assert set(told) < set(all_told)


def test_the_start_is_told_where_there_was_no_time_for_more():
    assert rows({"ready_s": 3.0} | NOTHING, 2) == [("cold start of the graph", "3.0 s", "15 s")]


def test_decoding_is_counted_once_and_pose_whatever_the_number_of_people():
    costs = {
        "whole, with video": 1000.0,
        "probe": 1.0,
        "decode": 10.0,
        "decode + letterbox": 12.0,
        "detect": 100.0,
        "decode + crop": 15.0,
        "pose (1.20 people a frame)": 200.0,
        "blur": 3.0,
        "biomechanics": 0.5,
        "answer": 0.25,
        "render: decode, draw, encode": 1000.0,
        "join": 1000.0,
    }
    assert stages_cpu_s(costs) == 1 + 10 + 2 + 100 + 5 + 200 + 3 + 0.5 + 0.25


def clock(seconds):
    return Clock(time.monotonic() + seconds)


def test_a_measurement_in_time_is_given_back():
    watch = clock(100)
    assert watch.measured("it", lambda: 3) == 3
    assert watch.left_out == []


@pytest.mark.parametrize("error", [TimeoutError, httpx.ReadTimeout])
def test_one_that_runs_out_of_time_is_left_out_by_name_and_the_next_is_not(error):
    def late():
        raise error("too late")

    watch = clock(100)
    assert watch.measured("late", late) is None
    assert watch.measured("next", lambda: 3) == 3
    assert watch.left_out == ["late"]


def test_without_time_nothing_is_begun():
    watch, begun = clock(-1), []
    assert watch.measured("it", lambda: begun.append(1)) is None
    assert (begun, watch.left_out) == ([], ["it"])
    assert watch.left() > 0


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        clock(100).measured("it", lambda: 1 / 0)
