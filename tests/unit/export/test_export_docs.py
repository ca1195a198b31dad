"""The examples of docs/exports.md, run as they stand; its tables against the code."""

import contextlib
import csv
import io
import re
import shlex
import shutil
from functools import partial

import httpx
import pytest
from click.testing import CliRunner

from biomech.config import Context
from serve_app import client
from serve_app.cli.main import main
from serve_app.export import tidy
from serve_app.export.saved_clip import read_result
from serve_app.http.routes import create_app
from tests.conftest import ROOT
from tests.support.asgi import AsgiTransport
from tests.support.saved_results import saved, squatting
from tests.support.stick_figure import FIGURE

PAGE = (ROOT / "docs" / "exports.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


COMMANDS = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch, squat_video):
    body = saved(squatting(200), context=Context(movement="squat"))
    for name in ("run.json", "earlier.json"):
        (tmp_path / name).write_bytes(body)
    shutil.copy(squat_video, tmp_path / "run.annotated.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands(folder):
    names = [command[1] for command in COMMANDS if command[0] == "mmpose-service"]
    assert names == ["export", "export", "report", "compare", "calibrate"]
    for command in COMMANDS:
        if command[0] == "mmpose-service" and command[1] != "calibrate":
            done = CliRunner().invoke(main, command[1:])
            assert done.exit_code == 0, (command, done.output)
    made = {path.name for path in folder.iterdir()}
    assert {"run.tidy.csv", "run.person1.trc", "run.report.html"} <= made


def test_the_options_of_calibrate_are_those_of_the_page(folder):
    (calibrate,) = [c for c in COMMANDS if c[1] == "calibrate"]
    shown = CliRunner().invoke(main, ["calibrate", "--help"]).output
    assert calibrate[2] in shown
    assert {a for a in calibrate if a.startswith("--")} == {"--out"}
    assert "--out" in shown


def test_the_call_over_http(folder, service):
    (curl,) = [command for command in COMMANDS if command[0] == "curl"]
    url = next(part for part in curl if part.startswith("http"))
    header, value = curl[curl.index("-H") + 1].split(": ")
    body = (folder / curl[curl.index("--data-binary") + 1].removeprefix("@")).read_bytes()
    with httpx.Client(transport=AsgiTransport(create_app(service))) as http:
        answer = http.post(url, content=body, headers={header: value})
    assert answer.status_code == 200, answer.text
    assert answer.text.startswith("PathFileType")
    assert "person1.trc" in answer.headers["content-disposition"]


def test_the_example_of_the_client(folder, service, monkeypatch):
    code, _ = blocks("python")
    transport = AsgiTransport(create_app(service))
    monkeypatch.setattr(client, "PoseClient", partial(client.PoseClient, transport=transport))
    found = {}
    exec(code, found)
    assert (folder / "run.trc").read_text().startswith("PathFileType")
    assert found["table"].startswith(b"PAR1")


def test_the_example_of_the_table(folder):
    assert CliRunner().invoke(main, ["export", "run.json", "--format", "parquet"]).exit_code == 0
    _, code = blocks("python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, {})
    assert "ci_lo: double" in printed.getvalue()


def test_every_column_and_variable_is_explained():
    for column in tidy.COLUMNS:
        assert f"`{column}`" in PAGE
    points = re.compile(r"_(x|y|confidence)$")
    told = set(re.findall(r"`(\w+)`", PAGE.split("| variable | unit")[1].split("\n\n")[0]))
    for body in (saved(squatting(12)), saved(FIGURE[None])):
        text = b"".join(tidy.csv(read_result(body), "r")).decode()
        names = {row["variable"] for row in csv.DictReader(io.StringIO(text))}
        angles = {name for name in names if not points.search(name)}
        leveled = {name for name in angles if "_level_" in name and "difference" not in name}
        assert angles - leveled <= told
        assert {name.partition("_level_")[2] for name in leveled} == {"px", "pct_stature"}
