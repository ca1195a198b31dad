"""The page's modules without a browser, by node; and the calls that it shows to a reader."""

import ast
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from biomech import reasons
from serve_app.results.job_schema import JobOptions
from serve_app.web import FOLDER

TESTS = sorted(Path(__file__).parent.glob("*.test.js"))
SNIPPETS = """
import { curl, python } from "./snippets.js";
const options = { people: "all", video: false, subject: { height_m: 1.8 } };
const at = "http://127.0.0.1:8003";
const of = (source, keyed) => [
  curl(at, source, options, "f".repeat(32), keyed), python(at, source, options, keyed),
];
const name = "it's $HOME.mp4";
const address = "https://a.example/b.mp4?x=1&y='";
console.log(JSON.stringify([of({ name }, true), of({ address }, false)]));
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """A folder with the page's files and the tests, as modules."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    folder = tmp_path_factory.mktemp("page")
    for file in [*FOLDER.iterdir(), *TESTS]:
        if file.is_file():
            shutil.copy(file, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def node(folder, *arguments):
    return subprocess.run(
        ["node", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("name", [file.name for file in TESTS])
def test_the_modules_pass_their_tests(modules, name):
    done = node(modules, "--test", "--test-reporter=tap", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("^ok ", done.stdout, re.MULTILINE)) >= 9, done.stdout


def test_every_reason_of_a_null_has_a_text():
    known = re.findall(r'"reason\.(\w+)"', (FOLDER / "strings.en.js").read_text("utf-8"))
    codes = [code for name, code in vars(reasons).items() if name.isupper() and name[0] != "_"]
    assert len(codes) > 15
    assert [code for code in codes if code not in known] == []


def test_the_calls_shown_can_be_pasted(modules):
    done = node(modules, "--input-type=module", "--eval", SNIPPETS)
    assert done.returncode == 0, done.stderr
    (file_curl, file_python), (address_curl, address_python) = json.loads(done.stdout)
    words = shlex.split(file_curl.replace("\\\n", " ").split("\ncurl")[0])
    assert words[:2] == ["curl", "http://127.0.0.1:8003/jobs"]
    assert "file=@it's $HOME.mp4" in words
    assert 'subject={"height_m":1.8}' in words
    assert "Authorization: Bearer $MMPOSE_API_KEY" in words
    words = shlex.split(address_curl.replace("\\\n", " ").split("\ncurl")[0])
    body = json.loads(words[words.index("-d") + 1])
    assert body.pop("video_url") == "https://a.example/b.mp4?x=1&y='"
    assert JobOptions.model_validate(body).subject.height_m == 1.8
    for code in (file_python, address_python):
        compile(code, "shown", "exec")
    (call,) = [n for n in ast.walk(ast.parse(file_python)) if getattr(n, "attr", "") == "submit"]
    assert call.value.id == "client"
