"""Histograms of Ray's metrics: what came to them, and what they say.

Ray exports a histogram by its buckets, each value as the middle of its bucket, so that only the
buckets are to be believed: where edges are whole numbers sizes are exact.
"""

from collections.abc import Mapping

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

Histogram = Mapping[float, float]
"""Number of values by the upper edge of their bucket."""


def read_histogram(text: str, name: str, deployment: str) -> Histogram:
    """Read the histogram of a metric over all replicas of a deployment."""
    cumulated: dict[float, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{name}_bucket" and sample.labels.get("deployment") == deployment:
                edge = float(sample.labels["le"])
                cumulated[edge] = cumulated.get(edge, 0.0) + sample.value
    edges = sorted(cumulated)
    counts = np.diff([0.0, *(cumulated[edge] for edge in edges)])
    return dict(zip(edges, counts.tolist(), strict=True))


def since(before: Histogram, after: Histogram) -> Histogram:
    """Return the difference of two histograms, without empty buckets."""
    grown = {edge: count - before.get(edge, 0.0) for edge, count in after.items()}
    return {edge: count for edge, count in grown.items() if count}


def mean_at_edges(counts: Histogram) -> float:
    """Mean of values that are the upper edges of their buckets; NaN of none."""
    total = sum(counts.values())
    return sum(edge * n for edge, n in counts.items()) / total if total else float("nan")


def quantile(counts: Histogram, share: float) -> float:
    """Upper edge of the bucket up to which there is this share of the values; NaN of none."""
    edges = sorted(counts)
    reached = np.cumsum([counts[edge] for edge in edges])
    if not len(reached):
        return float("nan")
    return edges[int(np.searchsorted(reached, share * reached[-1]))]
