"""Segments as files: every field survives, and damage is found."""

import io
import types
from dataclasses import fields, is_dataclass, make_dataclass, replace
from typing import Union, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deployments.messages import SegmentPoses
from serve_app.jobs import segment_codec
from serve_app.jobs.segment_codec import DamagedSegmentError, read_segment, write_segment
from tests.support.made_up_segments import segment_poses

PLAIN = {
    bool: st.booleans(),
    int: st.integers(-(2**40), 2**40),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=20),
}


def values_of(hint):
    """Any value of a type that a message may have."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if is_dataclass(hint):
        kinds = segment_codec._hints(hint)
        return st.builds(hint, **{name: values_of(kind) for name, kind in kinds.items()})
    if origin is np.ndarray:
        (kind,) = get_args(arguments[1])
        shapes = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)
        return arrays.arrays(kind, shapes)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if k is types.NoneType else values_of(k) for k in arguments))
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    assert origin is dict
    return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=3)


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    elif is_dataclass(one):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


def written(poses):
    file = io.BytesIO()
    write_segment(file, poses)
    return file.getvalue()


@settings(max_examples=40, deadline=None)
@given(poses=values_of(SegmentPoses))
def test_every_field_of_any_segment_survives(poses):
    assert_same(read_segment(io.BytesIO(written(poses))), poses)


@settings(max_examples=3, deadline=None)
@given(poses=values_of(SegmentPoses))
def test_numbers_of_numpy_are_stored_as_plain_ones(poses):
    found = read_segment(io.BytesIO(written(replace(poses, damaged=(np.int64(3),)))))
    assert_same(found.damaged, (3,))


def test_a_damaged_file_is_refused_or_gives_the_same():
    poses = segment_poses(2)
    text = written(poses)
    for at in range(0, len(text), 5):
        for damaged in (text[:at], text[:at] + bytes([text[at] ^ 0xFF]) + text[at + 1 :]):
            try:
                found = read_segment(io.BytesIO(damaged))
            except DamagedSegmentError:
                continue
            assert_same(found, poses)


def test_a_field_of_an_unknown_type_is_refused(monkeypatch):
    odd = make_dataclass("Odd", [("things", set[int])])
    monkeypatch.setattr(segment_codec, "SegmentPoses", odd)
    with pytest.raises(TypeError, match="set"):
        write_segment(io.BytesIO(), odd({1}))


def test_a_file_of_other_fields_is_refused(monkeypatch):
    file = io.BytesIO()
    old = make_dataclass("Old", [("index", int)])
    monkeypatch.setattr(segment_codec, "SegmentPoses", old)
    write_segment(file, old(1))
    monkeypatch.undo()
    file.seek(0)
    with pytest.raises(DamagedSegmentError, match="fields"):
        read_segment(file)
