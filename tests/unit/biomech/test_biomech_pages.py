"""The pages of docs/biomechanics: their examples come out as printed, and nothing is left out."""

import doctest
import re
from typing import get_args

import pytest

from biomech.applications.monitoring import METRICS
from biomech.records.values import CautionCode
from biomech.results.person_summary import APPLICATIONS
from serve_app.settings import ROOT

PAGES = sorted((ROOT / "docs" / "biomechanics").glob("*.md"))
WITH_EXAMPLES = [page for page in PAGES if ">>>" in page.read_text("utf-8")]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=[page.stem for page in WITH_EXAMPLES])
def test_examples_come_out_as_printed(page):
    # The fence that ends an example would be taken for its output.
    text = re.sub(r"^```.*$", "", page.read_text("utf-8"), flags=re.MULTILINE)
    example = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    told: list[str] = []
    assert doctest.DocTestRunner().run(example, out=told.append).failed == 0, "".join(told)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_application_has_a_page_with_an_example(name):
    page = ROOT / "docs" / "biomechanics" / f"{name}.md"
    assert page in WITH_EXAMPLES
    text = page.read_text("utf-8")
    assert all(f"**{part}.**" in text for part in ("What", "Limits"))
    assert f"({name}.md)" in (page.parent / "README.md").read_text("utf-8")


def test_every_caution_is_on_its_page():
    text = (ROOT / "docs" / "biomechanics" / "quality.md").read_text("utf-8")
    assert [code for code in get_args(CautionCode) if f"`{code}`" not in text] == []


def test_every_metric_is_named_in_the_rule_file():
    text = (ROOT / "config" / "rules.yaml").read_text("utf-8")
    assert [metric for metric in METRICS if metric not in text] == []


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
