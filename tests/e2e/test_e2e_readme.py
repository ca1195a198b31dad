"""The README's examples, run as they stand but for addresses and names of files."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from serve_app.results.health_schema import Health
from serve_app.results.response_schema import PoseResponse
from tests.conftest import ROOT
from tests.support.loopback_server import Server, reply

README = (ROOT / "README.md").read_text()
USERS = (ROOT / "docs" / "user.md").read_text()
WEB = (
    "https://storage.googleapis.com/bucket/video.mp4",
    "https://storage.googleapis.com/bucket/june.mp4",
    "https://example.org/jump.mp4",
    "https://storage.googleapis.com/bucket/athlete-{n}.mp4",
)


def blocks(language, page=README):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def block_with(language, word, page=README):
    (found,) = [block for block in blocks(language, page) if word in block]
    return found


@pytest.fixture
def adapt(running, tmp_path):
    """Turns an example into one for this service: its address, and addresses that lead to it."""
    shutil.copy(running.video, tmp_path / "run.mp4")
    with Server(reply(running.video.read_bytes())) as server:

        def adapted(text):
            for address in WEB:
                text = text.replace(address, server.url(f"/{address.rpartition('/')[2]}"))
            return text.replace("http://127.0.0.1:8003", running.url)

        yield adapted


def run(running, command, folder):
    done = subprocess.run(
        command,
        cwd=folder,
        env=running.environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(running, adapt, tmp_path):
    commands = re.findall(r"curl (?:[^\n]|\n(?=  ))*", block_with("sh", "curl"))
    assert len(commands) == 3
    health, upload, address = (run(running, shlex.split(adapt(c)), tmp_path) for c in commands)
    assert Health.model_validate_json(health.stdout).status in ("healthy", "degraded")
    assert upload.stdout == ""
    answer = PoseResponse.model_validate_json((tmp_path / "answer.json").read_text())
    assert answer.data.processing_summary.confidence_threshold == 0.4
    assert answer.data.processing_summary.successful_poses > 0
    fetched = PoseResponse.model_validate(json.loads(address.stdout))
    assert fetched.data.processing_summary.confidence_threshold == 0.3
    assert fetched.video_url.startswith(running.url + "/videos/")


def test_the_client(running, adapt, tmp_path):
    example = (
        adapt(block_with("python", "PoseClient")) + "\nprint(len(answer.data.poses_per_frame))"
    )
    done = run(running, [sys.executable, "-c", example], tmp_path)
    assert int(done.stdout.splitlines()[-1]) > 0
    assert (tmp_path / "annotated.mp4").read_bytes()[4:8] == b"ftyp"


def run_as_ray_job(running, program, tmp_path):
    """Run a program as the README starts one, and return what it prints."""
    (tmp_path / "job.py").write_text(program)
    token = running.environment["RAY_AUTH_TOKEN_PATH"]
    start = block_with("sh", "job.py").replace("job.py", str(tmp_path / "job.py"))
    start = start.replace("~/.config/mmpose-service/ray_auth_token", token)
    others = {k: v for k, v in running.environment.items() if not k.startswith("RAY_")}
    address = {"RAY_ADDRESS": running.environment["RAY_ADDRESS"]}  # as other clusters may run here
    job = replace(running, environment=others | address)
    return run(job, ["sh", "-c", start], ROOT).stdout


def test_the_handle_from_another_process(running, adapt, tmp_path):
    example = adapt(block_with("python", "get_app_handle"))
    program = example.replace('"run.mp4"', repr(str(tmp_path / "run.mp4")))
    summary, count = run_as_ray_job(running, program, tmp_path).splitlines()[-2:]
    assert "'successful_poses'" in summary
    assert int(count) > 0


def test_the_command_line(running, adapt, tmp_path):
    command = shlex.split(adapt(block_with("sh", "mmpose-service analyze")))
    run(running, command, tmp_path)
    names = sorted(p.name for p in (tmp_path / "results").iterdir())
    assert names == [
        f"{stem}.{kind}" for stem in ("jump", "run") for kind in ("annotated.mp4", "csv", "json")
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_job_by_curl(running, adapt, tmp_path):
    submit, *others = adapt(block_with("sh", "jobs/JOB", USERS)).splitlines()
    job = json.loads(run(running, shlex.split(submit, comments=True), tmp_path).stdout)["id"]
    said = [
        run(running, shlex.split(line.replace("JOB", job), comments=True), tmp_path).stdout
        for line in others
    ]
    assert json.loads(said[0])["id"] == job
    assert '{"state": "succeeded"}' in said[1]
    answer = PoseResponse.model_validate_json((tmp_path / "run.json").read_text())
    assert answer.data.processing_summary.successful_poses > 0
    assert (tmp_path / "run_annotated.mp4").read_bytes()[4:8] == b"ftyp"


def test_a_job_by_the_client(running, adapt, tmp_path):
    example = adapt(block_with("python", "client.submit(", USERS)) + "\nprint(len(angles['data']))"
    done = run(running, [sys.executable, "-c", example], tmp_path)
    assert done.stdout.splitlines()[-2:] == ["succeeded None 100.0", "1"]
    assert (tmp_path / "run_annotated.mp4").read_bytes()[4:8] == b"ftyp"
    assert (tmp_path / "run.csv").stat().st_size > 0


def test_jobs_by_the_asynchronous_client(running, adapt, two_months):
    example = adapt(block_with("python", "AsyncPoseClient", USERS))
    done = run(running, [sys.executable, "-c", example], two_months)
    assert len({line.split()[0] for line in done.stdout.splitlines()}) == 2


def test_a_job_by_the_command_line(running, adapt, tmp_path):
    commands = adapt(block_with("sh", "jobs submit run.mp4", USERS))
    done = run(running, ["sh", "-ec", commands], tmp_path)
    assert "succeeded" in done.stdout
    answer = PoseResponse.model_validate_json((tmp_path / "run.json").read_text())
    assert answer.data.processing_summary.confidence_threshold == 0.4
    assert (tmp_path / "run_annotated.mp4").read_bytes()[4:8] == b"ftyp"
    assert (tmp_path / "run.csv").stat().st_size > 0


def test_several_jobs_by_the_command_line(running, adapt, tmp_path):
    for number in (1, 2):
        shutil.copy(running.video, tmp_path / f"athlete-{number}.mp4")
    commands = block_with("sh", "jobs submit athlete", USERS)
    run(running, ["sh", "-ec", f"export MMPOSE_URL={running.url}\n{commands}"], tmp_path)
    for number, job in enumerate((tmp_path / "ids").read_text().split(), start=1):
        answer = (tmp_path / f"athlete-{number}.json").read_text()
        assert PoseResponse.model_validate_json(answer).request_id == job


def test_jobs_by_the_handle(running, adapt, tmp_path):
    example = adapt(block_with("python", "submit_job", USERS)).replace("range(1, 13)", "range(3)")
    said = run_as_ray_job(running, example + "\nprint([*results])", tmp_path).splitlines()
    assert said[-2] == "3 results, 0 failures"
    assert "athlete-2.mp4" in said[-1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_stream(running, adapt, tmp_path):
    command = shlex.split(adapt(block_with("sh", "stream=true", USERS)))
    run(running, command, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "lines.ndjson").read_text().splitlines()]
    assert {line["type"] for line in lines} == {"progress", "poses", "frame", "result"}
    example = adapt(block_with("python", "StreamEnd", USERS))
    done = run(running, [sys.executable, "-c", example], tmp_path)
    assert done.stdout.startswith("segment 0 ")
    assert int(done.stdout.splitlines()[-1]) > 0


@pytest.fixture
def two_months(running, tmp_path):
    """A folder with two videos of an athlete, and norms."""
    for name in ("january", "june"):
        shutil.copy(running.video, tmp_path / f"{name}.mp4")
    norm = {"metric": "knee_rom", "mean": 65, "sd": 5, "n": 120, "population": "a", "source": "b"}
    (tmp_path / "norms.json").write_text(json.dumps([norm]))
    return tmp_path


def assert_supplied(answer):
    """Whether the answer is of a request that had an earlier result and norms (F15)."""
    (first, *_) = answer.data.biomechanics_summary
    told = first.applications
    assert "not_supplied" not in (told.progress.status, told.norms.status)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_an_earlier_answer_compared_by_curl(running, adapt, two_months):
    commands = adapt(block_with("sh", "before=@", USERS))
    run(running, ["sh", "-ec", commands], two_months)
    for name in ("june", "again"):
        answer = PoseResponse.model_validate_json((two_months / f"{name}.json").read_text())
        assert_supplied(answer)


def test_an_earlier_answer_compared_by_the_client(running, adapt, two_months):
    example = adapt(block_with("python", "before=january", USERS))
    check = "\nprint(june.model_dump_json(exclude={'data': {'poses_per_frame'}}))"
    done = run(running, [sys.executable, "-c", example + check], two_months)
    told = json.loads(done.stdout.splitlines()[-1])["data"]["biomechanics_summary"][0]
    assert told["applications"]["progress"]["status"] != "not_supplied"
    assert told["applications"]["norms"]["status"] != "not_supplied"


def test_an_earlier_answer_compared_by_the_command_line(running, adapt, two_months):
    for name, more in (("january", ""), ("june", adapt(block_with("sh", "--before", USERS)))):
        command = more or f"mmpose-service analyze {name}.mp4"
        run(running, [*shlex.split(command), "--no-video", "--out", "."], two_months)
    assert_supplied(PoseResponse.model_validate_json((two_months / "june.json").read_text()))


def test_the_commands_of_the_makefile_that_it_names_are_there():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test", "serve", "bench", "lint", "clean", "help"} <= named
    assert [target for target in named if f"\n{target}:" not in makefile] == []


def test_every_file_that_the_documents_name_is_there():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
        assert [link for link in links if not (page.parent / link).exists()] == [], page
