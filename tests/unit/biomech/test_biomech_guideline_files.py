"""Files of rules, detectable changes, norms and other results: what they hold, and mistakes."""

import json
import re

import pytest

from biomech.config import Context
from deployments.biomechanics.guideline_files import load_guidelines, summary_of
from deployments.errors import ConfigurationError
from serve_app.model_plan import plan_models
from serve_app.setting_types import ROOT
from serve_app.settings import load_settings
from tests.support.filmed_athlete import filmed, summarised
from tools.athlete.motion import Style

RULE = """
rules:
  - {id: a, metric: fppa, phase: peak, view: frontal, op: ">", threshold: 10, source: us}
"""


@pytest.fixture
def file(tmp_path):
    """Writes a file of that text and gives its path."""

    def write(text, name="file.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture(scope="module")
def response():
    """A saved response, as far as comparisons read it."""
    told = summarised(filmed("squat", seed=5)[1], Context("squat"))
    return {"data": {"biomechanics_summary": [told]}}


def test_the_shipped_files_are_those_of_the_settings():
    guidelines = plan_models(load_settings()).guidelines
    assert {rule.id for rule in guidelines.rules} == {
        "landing_knee_stiff", "landing_knee_excursion", "landing_trunk_upright", "fppa_high",
        "trunk_lateral_lean_right", "trunk_lateral_lean_left", "knee_hyperextension",
    }  # fmt: skip
    assert guidelines.limits["fppa_peak"].mdc == 8.9
    assert guidelines.norms is guidelines.reference is guidelines.before is None


def test_shipped_rules_have_sources_and_the_weak_ones_notes():
    rules = {rule.id: rule for rule in load_guidelines(ROOT / "config" / "rules.yaml").rules}
    assert all(rule.source and rule.p_min == 0.95 for rule in rules.values())
    assert "not predict" in rules["fppa_high"].note
    assert rules["fppa_high"].threshold == {"male": 8.0, "female": 13.0, "any": 13.0}
    assert rules["landing_knee_stiff"].threshold == {"any": 30.0}


def test_sources_say_of_what_they_are():
    """A published number is not lent to what it was not measured of (F23)."""
    text = (ROOT / "config" / "rules.yaml").read_text()
    assert not re.search(r"LESS item \d", text)  # published lists number the items differently
    config = ROOT / "config"
    shipped = load_guidelines(rules=config / "rules.yaml", mdc=config / "mdc.yaml")
    (fppa,) = (rule for rule in shipped.rules if rule.id == "fppa_high")
    assert "drop jump" in fppa.source
    assert "this service's" in fppa.note
    for metric, limit in shipped.limits.items():
        assert "Damsted" not in limit.source, metric


def test_shipped_limits_name_their_sources_and_no_better_direction():
    limits = load_guidelines(mdc=ROOT / "config" / "mdc.yaml").limits
    assert all(limit.source or limit.reason for limit in limits.values())
    assert {limit.better for limit in limits.values()} == {None}


def test_a_site_has_its_own_files(file, monkeypatch):
    monkeypatch.setenv("MMPOSE_RULES", str(file(RULE)))
    monkeypatch.setenv("MMPOSE_MDC", str(file("rom: {mdc: 4, source: us, better: higher}", "m")))
    norms = "[{metric: rom, mean: 60, sd: 5, n: 40, population: ours, source: us}]"
    monkeypatch.setenv("MMPOSE_NORMS", str(file(norms, "n")))
    guidelines = plan_models(load_settings()).guidelines
    assert [rule.id for rule in guidelines.rules] == ["a"]
    assert guidelines.limits["rom"].better == "higher"
    assert guidelines.norms[0].mean == 60


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("rules", "rules: [", "cannot be read"),
        ("rules", "[]", "the whole"),
        ("rules", RULE.replace("fppa", "knee_valgus"), r"rules\.0\.metric"),
        ("rules", RULE.replace("10", ".nan"), r"rules\.0\.threshold"),
        ("rules", RULE.replace("10", "{male: 8}"), r"rules\.0\.threshold"),
        ("rules", RULE.replace("op:", "sign:"), r"rules\.0"),
        ("rules", RULE.replace("fppa", "elbow_flexion").replace('">"', '"<"').replace("10", "-10"),
         "elbow_flexion has no sign"),
        ("rules", RULE + RULE.partition("rules:\n")[2], "ids of rules must differ"),
        ("mdc", "rom: {mdc: 0, source: us}", r"rom\.mdc"),
        ("mdc", "rom: {mdc: 4}", "rom: .*needs its source"),
        ("mdc", "rom: {better: higher}", "rom: .*the reason why there is none"),
        ("mdc", "rom: {mdc: 4, source: us, reason: none}", "rom: .*either mdc, or the reason"),
        ("mdc", "rom: {mdc: 4, source: us, near_far: -1}", r"rom\.near_far"),
        ("norms", "[{metric: rom, n: 4, population: a, source: b}]", "mean and sd, or percentiles"),
        ("norms", "[{metric: rom, n: 4, population: a, source: b, percentiles: {5: 9, 95: 1}}]",
         "must ascend"),
        ("reference", "{}", "no data.biomechanics_summary"),
        ("reference", "not json", "no saved result"),
        ("before", '{"data": {"biomechanics_summary": []}}', "nobody in it"),
    ],
)  # fmt: skip
def test_mistakes_in_a_file_are_named_with_the_file(kind, text, says, file):
    path = file(text)
    with pytest.raises(ConfigurationError, match=says) as told:
        load_guidelines(**{kind: path})
    assert str(path) in told.value.detail


@pytest.mark.parametrize("kind", ["rules", "reference"])
def test_a_missing_file_is_named(kind, tmp_path):
    with pytest.raises(ConfigurationError, match=r"missing\.x"):
        load_guidelines(**{kind: tmp_path / "missing.x"})


def test_a_saved_response_is_read_as_far_as_comparisons_need_it(response):
    told = summary_of(json.loads(json.dumps(response)))
    assert told["view"] == "sagittal"
    assert told["filter"] == {"cutoff_hz": 6.0}
    assert len(told["phases"]["joints"]["left_knee"]["mean"]) == 101
    with pytest.raises(ValueError, match="no person 7"):
        summary_of(response, 7)


def test_a_damaged_response_is_refused_where_it_is_damaged(response):
    damaged = json.loads(json.dumps(response))
    damaged["data"]["biomechanics_summary"][0]["phases"]["joints"]["left_knee"]["mean"].pop()
    with pytest.raises(ValueError, match=r"phases\.joints\.left_knee\.mean"):
        summary_of(damaged)


def test_a_clip_is_compared_to_the_results_that_a_site_gives(response, file):
    path = file(json.dumps(response))
    guidelines = load_guidelines(mdc=ROOT / "config" / "mdc.yaml", reference=path, before=path)
    deep, shallow = (
        filmed("squat", seed=seed, style=Style(depth=depth))[1]
        for seed, depth in ((9, 1.0), (8, 0.8))
    )
    same = summarised(deep, Context("squat"), guidelines=guidelines)["applications"]
    other = summarised(shallow, Context("squat"), guidelines=guidelines)["applications"]
    for told in (same, other):
        assert told["technique"]["status"] == told["progress"]["status"] == "ok"
    assert same["technique"]["joints"]["left_knee"]["rmsd_deg"] < 2.0
    # A fifth less of 100 degrees, at the deepest point.
    deviation = other["technique"]["joints"]["left_knee"]
    assert deviation["max_dev_deg"] == pytest.approx(-20, abs=4)
    assert deviation["at_pct"] == pytest.approx(50, abs=15)
    verdicts = [
        {(c["metric"], c["side"]): c["verdict"] for c in told["progress"]["changes"]}
        for told in (same, other)
    ]
    peak = ("knee_flexion_peak", "left")
    assert (verdicts[0][peak], verdicts[1][peak]) == ("no_detectable_change", "changed")
    assert verdicts[1]["repetition_duration", None] is None


def test_results_of_another_filter_do_not_compare(response, file):
    guidelines = load_guidelines(reference=file(json.dumps(response)))
    track = filmed("squat", seed=5)[1]
    told = summarised(track, Context("squat", cutoff_hz=8.0), guidelines=guidelines)
    assert told["applications"]["technique"]["status"] == "not_comparable"
