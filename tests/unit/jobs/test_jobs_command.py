"""`mmpose-service jobs`, on a service of one process."""

import json
from functools import partial

import httpx
import pytest
from click.testing import CliRunner

from serve_app.cli import jobs as jobs_module
from serve_app.cli import progress_bar
from serve_app.cli.main import main
from serve_app.client import PoseClient, job_flows
from serve_app.results.job_schema import Job
from serve_app.results.response_schema import PoseResponse
from serve_app.settings import load_settings


@pytest.fixture
def cli(jobs_transport, monkeypatch, tmp_path):
    """Run a command in an empty folder: its exit code, stdout and stderr."""
    monkeypatch.setattr(jobs_module, "PoseClient", partial(PoseClient, transport=jobs_transport))
    monkeypatch.setattr(job_flows, "_FIRST_POLL_S", 0.05)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(main, ["jobs", *map(str, arguments)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture(scope="module")
def done(jobs_transport, squat_video):
    """A job that has succeeded."""
    with PoseClient("http://test", transport=jobs_transport) as client:
        return client.wait(client.submit(squat_video).id)


@pytest.fixture
def paused(monkeypatch):
    """No job begins."""
    monkeypatch.setattr("serve_app.jobs.runner.JobRunner._is_ready", lambda _self: False)


def test_a_file_is_submitted_with_its_flags_and_watched(cli, squat_video, tmp_path):
    flags = ("--confidence", "0.4", "--height-m", "1.8", "--start", "0.5", "--no-video")
    code, said, shown = cli("submit", squat_video, *flags, "--watch", "--json")
    job = Job.model_validate_json(said)
    assert (code, job.state) == (0, "succeeded")
    assert f"{job.id}  {squat_video}\n" in shown
    assert f"{squat_video}: succeeded" in shown
    assert cli("result", job.id)[0] == 0
    answer = PoseResponse.model_validate_json((tmp_path / f"{job.id}.json").read_text())
    assert answer.video_url is None
    summary = answer.data.processing_summary
    assert summary.confidence_threshold == 0.4
    assert summary.video_info.part is not None
    assert answer.data.biomechanics_summary[0].height_m == 1.8
    assert cli("delete", job.id) == (0, "", "")
    assert cli("delete", job.id)[0] == 1
    code, said, shown = cli("delete", job.id, "--json")
    failed = json.loads(shown)
    assert (code, said, failed["id"], failed["code"]) == (1, "", job.id, "job_not_found")


@pytest.mark.usefixtures("paused")
def test_ids_alone_are_on_stdout(cli, squat_video):
    code, said, shown = cli("submit", squat_video, squat_video)
    ids = said.split()
    assert (code, len(ids), shown) == (0, 2, "")
    _, listed, _ = cli("list", "--state", "queued", "--json")
    found = [Job.model_validate_json(line) for line in listed.splitlines()]
    assert {job.id for job in found} == set(ids)
    _, text, _ = cli("list", "--group", found[0].group, "--limit", "1")
    (line,) = text.splitlines()
    assert line.startswith(found[0].id)
    assert "in the queue" in line
    code, said, _ = cli("cancel", *ids)
    assert (code, said.count("cancelled")) == (0, 2)
    code, said, _ = cli("watch", "--group", found[0].group)
    assert (code, said.count("cancelled")) == (1, 2)
    assert cli("delete", *ids)[0] == 0
    assert cli("watch", "--group", found[0].group)[0] == 2


def test_earlier_results_are_sent_from_their_files(cli, squat_video, tmp_path, done):
    cli("result", done.id, "--out", "earlier.json")
    code, said, _ = cli("submit", squat_video, "--before", "earlier.json", "--watch", "--json")
    assert code == 0
    _, text, _ = cli("result", json.loads(said)["id"], "--out", "-")
    person = PoseResponse.model_validate_json(text).data.biomechanics_summary[0]
    assert person.applications.progress.status != "not_supplied"


def test_results_come_as_files(cli, done, tmp_path):
    code, said, shown = cli("result", done.id, "--video", "run.mp4", "--fields", "joint_angles")
    assert (code, said) == (0, "")
    assert f"{done.id}.json: " in shown
    assert (tmp_path / "run.mp4").read_bytes()[4:8] == b"ftyp"
    frames = json.loads((tmp_path / f"{done.id}.json").read_text())["data"]["poses_per_frame"]
    assert frames[0].keys() == {"biomechanics"}
    assert cli("result", done.id, "--format", "trc", "--height-m", "1.8")[0] == 0
    assert (tmp_path / f"{done.id}.trc").read_text().startswith("PathFileType")
    code, said, _ = cli("result", done.id, "--video", "again.mp4", "--out", "a.json", "--json")
    sizes = {"a.json": (tmp_path / "a.json").stat().st_size}
    sizes["again.mp4"] = (tmp_path / "again.mp4").stat().st_size
    made = [json.loads(line) for line in said.splitlines()]
    assert (code, {item["path"]: item["bytes"] for item in made}) == (0, sizes)
    code, text, _ = cli("result", done.id, "--format", "csv", "--out", "-")
    assert (code, text.splitlines()[0].count(",") > 2) == (0, True)


def test_a_job_that_fails_is_said(cli, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    code, said, _ = cli("submit", "text.mp4", "--json")
    queued = json.loads(said)["id"]
    assert cli("watch", queued)[0] == 1
    assert cli("delete", queued, "--json") == (0, f'{{"id": "{queued}", "deleted": true}}\n', "")
    code, said, shown = cli("submit", "text.mp4", "--watch")
    assert code == 1
    assert "failed: " in said
    assert "text.mp4: failed: " in shown
    code, _, shown = cli("result", said.split()[0])
    assert (code, "the job is failed" in shown) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["submit", "absent.mp4"], "there is no file absent.mp4"),
        (["submit", "http://x/y.mp4", "--confidence", "2"], "confidence"),
        (["submit", "http://x/y.mp4", "--webhook-url", "ftp://x"], "webhook"),
        (["result", "no-id"], "is not the id of a job"),
        (["result", "0" * 32, "--out", "a.json", "--height-m", "1.8"], "--format"),
        (["result", "0" * 32, "--fields", "a", "--format", "csv"], "either"),
        (["watch"], "either"),
        (["list", "--url", "http://x:port"], "--url"),
    ],
)
def test_wrong_use_is_said_with_code_2(cli, arguments, expected):
    code, said, shown = cli(*arguments)
    assert (code, said) == (2, ""), shown
    assert expected in shown


def test_files_that_cannot_be_written_are_said(cli, done):
    for flag in ("--out", "--video"):
        code, _, shown = cli("result", done.id, flag, "no/such/folder")
        assert (code, "no/such/folder: No such file" in shown) == (2, True), shown


def test_a_service_that_is_not_there(monkeypatch):
    monkeypatch.setenv("MMPOSE_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("serve_app.client.pose_client.JOB_RETRIES", 0)
    done = CliRunner().invoke(main, ["jobs", "list"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "http://127.0.0.1:1" in done.stderr
    assert "does not answer" in done.stderr


def test_the_variables_of_the_command_are_no_settings_and_no_error():
    load_settings({}, {"MMPOSE_URL": "http://x", "MMPOSE_API_KEY": "a.b"})


def test_the_key_is_sent(monkeypatch):
    seen = []

    def answer(request):
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"jobs": [], "cursor": None})

    client = partial(PoseClient, transport=httpx.MockTransport(answer))
    monkeypatch.setattr(jobs_module, "PoseClient", client)
    monkeypatch.setenv("MMPOSE_API_KEY", "of.environment")
    for more in ([], ["--api-key", "of.flag"]):
        assert CliRunner().invoke(main, ["jobs", "list", *more]).exit_code == 0
    assert seen == ["Bearer of.environment", "Bearer of.flag"]


def test_a_terminal_shows_bars(cli, squat_video, monkeypatch, done):
    console = progress_bar.STDERR
    monkeypatch.setattr(console, "_force_terminal", True)
    monkeypatch.setattr(console, "_width", 120)
    with console.capture() as shown:
        code, *_ = cli("watch", done.id)
    assert code == 0
    assert f"{done.id}: succeeded" in shown.get()
    assert "100 %" in shown.get()
