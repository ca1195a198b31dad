"""The environment that scripts/setup.sh makes, and the locks that it makes it from."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import cache_from_source, find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.support.extras import PROJECT, ROOT, of_project, requirements

LOCKS = [ROOT / "requirements.lock", ROOT / "requirements-dev.lock"]
SETUP = ROOT / "scripts" / "setup.sh"


@pytest.mark.parametrize("package", ["ray.serve", "torch", "fastapi", "serve_app"])
def test_packages_are_compiled(package):
    """Each of the graph's processes would compile them anew where Python writes no bytecode."""
    source = find_spec(package).origin
    assert Path(cache_from_source(source)).exists()


def pins(locks):
    """{name: requirement} of the locks."""
    lines = [line for lock in locks for line in lock.read_text().splitlines()]
    return {pin.name: pin for pin in map(Requirement, lines)}


def unmet(extra, pinned, left_out):
    """Requirements of an extra on this platform that no pin meets, each with who has it."""
    found = []
    for by, need in requirements(of_project(extra)):
        name = canonicalize_name(need.name)
        pin = pinned.get(name)
        version = next(iter(pin.specifier)).version if pin else None
        if name not in left_out and (version is None or version not in need.specifier):
            found.append(f"{by}: {need}")
    return found


@pytest.mark.parametrize(("extra", "locks"), [("service", LOCKS[:1]), ("dev", LOCKS)])
def test_the_locks_meet_every_requirement_but_those_left_out(extra, locks):
    left_out = {Requirement(r).name for r in PROJECT["tool"]["uv"]["override-dependencies"]}
    cuda = (ROOT / "requirements-cuda.lock").read_text().splitlines()[1:]
    left_out |= {Requirement(line).name for line in cuda}
    pinned = pins(locks)
    assert not left_out & set(pinned)
    assert unmet(extra, pinned, left_out) == []
    del pinned["joblib"]
    assert unmet(extra, pinned, left_out) != []


def test_setup_takes_the_pythons_that_the_project_allows():
    first, last = re.search(r"\(3, (\d+)\) <= .* <= \(3, (\d+)\)", SETUP.read_text()).groups()
    allowed = SpecifierSet(PROJECT["project"]["requires-python"])
    found = [minor for minor in range(30) if f"3.{minor}.5" in allowed]
    assert found == list(range(int(first), int(last) + 1))


@pytest.fixture
def setup(tmp_path):
    """Run the script where nothing is found but what it needs and the ``programs`` given."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("dirname", "sed", "mktemp", "rm"):
        (tools / name).symlink_to(shutil.which(name))

    def run(programs, **variables):
        for name, text in programs.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        environment = {"PATH": str(tools), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
        done = subprocess.run(
            [shutil.which("sh"), str(SETUP), str(tmp_path / "venv")],
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert not (tmp_path / "venv").exists()
        assert sorted(os.listdir(tmp_path)) == ["bin"]
        return done.stderr

    return run


REMEDY = (
    ": install Python 3.11 with venv (Debian: apt-get install python3.11-venv)"
    " or set PYTHON=/path/to/python3.11\n"
)
OLD = """case "$1" in --version) echo Python 3.8.1;; *) exit 1;; esac"""
NONE = "error: no Python 3.11 to 3.14 with venv was found, and "


def test_setup_without_python_and_uv_says_what_to_install(setup):
    assert setup({}) == NONE + "python3 could not get uv to bring one (not found)" + REMEDY


def test_setup_says_why_another_python_could_not_get_uv(setup):
    python3 = "echo '/usr/bin/python3: No module named venv' >&2; exit 1"
    cause = "(/usr/bin/python3: No module named venv)"
    expected = NONE + f"python3 could not get uv to bring one {cause}" + REMEDY
    assert setup({"python3": python3}) == expected


def test_setup_says_in_one_line_why_uv_could_not_bring_python(setup):
    uv = """printf 'error: no download\\n  cause: no such host\\n' >&2; exit 2"""
    expected = NONE + "uv could not bring one (no such host)" + REMEDY
    assert setup({"python3": OLD, "uv": uv}) == expected


@pytest.mark.parametrize(("python", "found"), [("old", "Python 3.8.1"), ("none", "not found")])
def test_setup_refuses_the_python_named_where_it_does_not_fit(setup, tmp_path, python, found):
    path = str(tmp_path / "bin" / python)
    expected = (
        f"error: PYTHON={path} is not a Python 3.11 to 3.14 with venv ({found}): "
        "name one that is, or unset PYTHON\n"
    )
    assert setup({"old": OLD, "python3.11": f'exec {sys.executable} "$@"'}, PYTHON=path) == expected
