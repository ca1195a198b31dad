"""CPUs that a process may use: what the scheduler gives, within the container's quota."""

import os

import pytest

from deployments.process_setup import usable_cpus


@pytest.mark.parametrize(
    ("quota", "scheduled", "expected"),
    [
        ("max 100000", 8, 8),
        ("400000 100000", 8, 4),
        ("150000 100000", 8, 2),
        ("50000 100000", 8, 1),
        ("1600000 100000", 8, 8),
        ("nonsense", 3, 3),
        (None, 3, 3),
    ],
    ids=["none", "quota", "one and a half", "half", "more than there is", "unread", "no groups"],
)
def test_the_smaller_of_both(tmp_path, monkeypatch, quota, scheduled, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(scheduled)))
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota + "\n")
    assert usable_cpus(file) == expected
