"""The records of `biomech` are the one definition: JSON, schema and readers follow from them."""

import ast
import inspect
import json
import textwrap
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Literal

import pytest
from pydantic import TypeAdapter, ValidationError, with_config

from biomech.records.event_records import GaitEventRecord, JumpRecord
from biomech.records.frame_record import FrameBiomechanics
from biomech.records.person_record import PersonSummary
from biomech.records.values import Number, Share, as_json
from biomech.skeleton import Side
from serve_app.results.record_reader import NEEDED, reader_of
from serve_app.results.record_schema import RECORD, records_of
from serve_app.results.response_schema import PoseResponse
from tests.support.saved_results import height_of, saved, squatting

RECORDS = sorted(
    records_of(PersonSummary) | records_of(FrameBiomechanics), key=lambda kind: kind.__name__
)


def described(kind):
    """The text below each field of a record, read from its source."""
    texts = {}
    for base in filter(is_dataclass, reversed(kind.__mro__)):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        for line, after in pairwise(body.body):
            if isinstance(line, ast.AnnAssign) and isinstance(after, ast.Expr):
                texts[line.target.id] = " ".join(after.value.value.split())
    return texts


@pytest.fixture(scope="module")
def schema():
    return PoseResponse.model_json_schema(mode="serialization")["$defs"]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_is_in_the_schema_with_its_description(schema, kind):
    properties = schema[kind.__name__]["properties"]
    assert list(properties) == [item.name for item in fields(kind)]
    texts = described(kind)
    assert {name: " ".join(properties[name]["description"].split()) for name in texts} == texts


def test_a_written_summary_reads_as_the_record_it_was():
    document = json.loads(saved(squatting(90), context=height_of(1.8)))
    told = document["data"]["biomechanics_summary"][0]
    again = reader_of(PersonSummary).validate_python(told)
    assert isinstance(again, PersonSummary)
    assert json.loads(json.dumps(as_json(again))) == told


@pytest.mark.parametrize("kind", NEEDED, ids=lambda kind: kind.__name__)
def test_all_but_the_needed_fields_of_a_saved_record_may_be_missing(kind):
    with pytest.raises(ValidationError) as refused:
        reader_of(kind).validate_python({})
    assert {item["loc"][0] for item in refused.value.errors()} == set(NEEDED[kind])


def test_a_later_version_may_have_more_fields_and_words():
    event = {"kind": "contact", "side": "left", "t_s": 1.0, "frame": 30, "force_n": 800.0}
    assert reader_of(GaitEventRecord).validate_python(event).frame == 30
    summary = reader_of(PersonSummary).validate_python({"person_id": 1, "view": "from_above"})
    assert summary.view == "from_above"


@pytest.mark.parametrize(
    ("kind", "document", "place"),
    [
        (JumpRecord, {"t_takeoff_s": 1e300, "t_landing_s": 1.0}, ("t_takeoff_s",)),
        (JumpRecord, {"t_takeoff_s": float("nan"), "t_landing_s": 1.0}, ("t_takeoff_s",)),
        (GaitEventRecord, {"kind": "contact", "side": "both", "t_s": 1.0}, ("side",)),
        (PersonSummary, {"person_id": 1, "flags": ["x" * 65]}, ("flags", 0)),
        (PersonSummary, {"person_id": 1, "joints": {"<b>": {}}}, ("joints", "<b>", "[key]")),
        (PersonSummary, {"person_id": 1, "quality": [{"detail": "", "share": 2}]},
         ("quality", 0, "share")),
    ],
)  # fmt: skip
def test_what_is_beyond_the_bounds_is_refused_by_its_place(kind, document, place):
    with pytest.raises(ValidationError) as refused:
        reader_of(kind).validate_python(document)
    assert refused.value.errors()[0]["loc"] == place


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrowRecord:
    """A throw, as the recipe of docs/contributor.md adds one."""

    side: Side
    hand: Literal["open", "closed"] | None = None
    height_share: Share | None = None
    """Height of the release, of the stature."""
    speed_m_s: Number = None


def test_the_recipe_of_a_field_is_one_edit():
    """A record of our own has JSON, schema and reader without another line."""
    record = ThrowRecord(side="left", height_share=0.9)
    written = {"side": "left", "hand": None, "height_share": 0.9, "speed_m_s": None}
    assert as_json(record) == written
    with_config(RECORD)(ThrowRecord)
    adapter = TypeAdapter(ThrowRecord)
    assert json.loads(adapter.dump_json(record)) == written
    about = adapter.json_schema()["properties"]["height_share"]
    assert about["description"] == "Height of the release, of the stature."
    assert reader_of(ThrowRecord).validate_python({"side": "left", "height_share": 0.9}) == record
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        reader_of(ThrowRecord).validate_python({"side": "left", "height_share": 90})
