"""Histograms of Ray, as Prometheus is given them: their growth, means and quantiles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from bench.histograms import mean_at_edges, quantile, read_histogram, since

EDGES = (1, 2, 4, 8, 16)
INFINITE = float("inf")


def exported(observed, name="ray_serve_actual_batch_size"):
    """The text for values by (deployment, replica)."""
    registry = CollectorRegistry()
    metric = Histogram(name, "x", ("deployment", "replica"), registry=registry, buckets=EDGES)
    for labels, values in observed.items():
        for value in values:
            metric.labels(*labels).observe(value)
    return generate_latest(registry).decode()


def test_values_are_counted_by_the_upper_edge_of_their_bucket():
    text = exported({("RTMPose", "a"): [1, 3, 4, 16, 100]})
    read = read_histogram(text, "ray_serve_actual_batch_size", "RTMPose")
    assert read == {1: 1, 2: 0, 4: 2, 8: 0, 16: 1, INFINITE: 1}


def test_replicas_are_added_and_other_deployments_and_metrics_are_not():
    text = exported({("RTMPose", "a"): [2], ("RTMPose", "b"): [2, 8], ("HRNet", "c"): [2]})
    text += exported({("RTMPose", "a"): [2] * 9}, "ray_serve_actual_batch_size_percent")
    read = read_histogram(text, "ray_serve_actual_batch_size", "RTMPose")
    assert {edge: n for edge, n in read.items() if n} == {2: 2, 8: 1}


@pytest.mark.parametrize("text", ["", exported({}), exported({("HRNet", "c"): [2]})])
def test_where_nothing_was_observed_there_is_nothing(text):
    read = read_histogram(text, "ray_serve_actual_batch_size", "RTMPose")
    assert read == {}
    assert math.isnan(mean_at_edges(read))
    assert math.isnan(quantile(read, 0.99))


def test_only_what_came_since_is_left():
    before = {1.0: 3.0, 2.0: 0.0, 4.0: 5.0}
    assert since(before, {1.0: 3.0, 2.0: 2.0, 4.0: 6.0, 8.0: 1.0}) == {2.0: 2.0, 4.0: 1.0, 8.0: 1.0}
    assert since({}, before) == {1.0: 3.0, 4.0: 5.0}
    assert since(before, before) == {}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(EDGES), min_size=1, max_size=60), st.floats(0.01, 1))
def test_of_values_at_the_edges_mean_and_quantiles_are_exact(values, share):
    read = read_histogram(
        exported({("RTMPose", "a"): values}), "ray_serve_actual_batch_size", "RTMPose"
    )
    assert mean_at_edges(since({}, read)) == pytest.approx(np.mean(values))
    assert quantile(read, share) == np.quantile(values, share, method="inverted_cdf")
