"""Types that openapi-typescript makes of the description, and a client that compiles by them."""

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from tools.openapi import SNAPSHOT

PACKAGES = ("openapi-typescript@7.13.0", "typescript@5.9.3")
CLIENT = ROOT / "tests" / "data" / "typescript" / "client.ts"
STRICT = ("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noEmit")
ENDS_S = 120


def run(folder, *command):
    """The output of a command that has to end, in the folder of the packages."""
    path = f"{folder / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=ENDS_S,
        check=False,
    )


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with the two packages, or a skip that says why there is none."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed")
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"private": true}')
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0")
    options += ("--fetch-timeout=20000", "--prefer-offline")
    try:
        installed = run(folder, "npm", "install", *options, *PACKAGES)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install its packages within {ENDS_S} s")
    if installed.returncode:
        last = installed.stderr.strip().splitlines()[:1] or ["no reason given"]
        pytest.skip(f"npm cannot install {' and '.join(PACKAGES)}: {last[0]}")
    return folder


def test_a_strict_client_compiles_by_the_types_of_the_description(packages):
    shutil.copy(CLIENT, packages)
    # A response may lack what has a default: the types have to say so.
    options = ("--default-non-nullable=false", "-o", "api.d.ts")
    made = run(packages, "openapi-typescript", str(SNAPSHOT), *options)
    assert made.returncode == 0, made.stdout + made.stderr
    compiled = run(
        packages,
        *("tsc", *STRICT, "--target", "es2022", "--lib", "es2022,dom"),
        *("--module", "es2022", "--moduleResolution", "bundler", "client.ts"),
    )
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
