"""The sentences that the page shows of a job: those of the printed report."""

import json

import pytest

from serve_app.export.saved_clip import read_result
from serve_app.report.build import report_of
from tests.support.asgi import problem_of
from tests.unit.jobs.test_job_routes import done, ended, form, http  # noqa: F401


def test_they_are_those_of_the_report(http, done):  # noqa: F811
    told = http.get(f"/jobs/{done['id']}/sentences").json()["people"]
    result = http.get(done["links"]["result"])
    summaries = result.json()["data"]["biomechanics_summary"]
    assert [person["person_id"] for person in told] == [s["person_id"] for s in summaries]
    for person in told:
        report = report_of(read_result(result.content), "", person_id=person["person_id"])
        assert person["cautions"] == list(report.warnings)
        assert person["findings"] == list(report.findings)
        assert person["judged"] == list(report.judged)
    assert any("not calibrated" in line for line in told[0]["cautions"])


@pytest.mark.parametrize("fields", ["joint_angles", "video_url"])
def test_a_job_of_other_parts_has_no_people(http, form, fields):  # noqa: F811
    begun = http.post("/jobs", data={"fields": fields, "video": "false"}, **form).json()
    ended(http, begun["id"])
    assert http.get(f"/jobs/{begun['id']}/sentences").json() == {"people": []}


def test_an_unknown_job_has_none(http):  # noqa: F811
    answer = http.get(f"/jobs/{'0' * 32}/sentences")
    assert answer.status_code == 404
    assert json.loads(answer.content)["code"] == problem_of(answer).code == "job_not_found"
