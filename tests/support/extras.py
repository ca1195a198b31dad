"""The project's extras, and virtual environments that have the packages of one and no others."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = (
    "biomech",
    "deployments",
    "serve_app",
    "config",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


def of_project(extra: str | None) -> list[str]:
    """Return the requirements of the project with an extra and the extras in it, or with none."""
    project = PROJECT["project"]
    found = list(project["dependencies"])
    for text in project["optional-dependencies"][extra] if extra else ():
        need = Requirement(text)
        parts = need.extras if need.name == project["name"] else ()
        found += [below for part in parts for below in of_project(part)] if parts else [text]
    return list(dict.fromkeys(found))


def requirements(wanted: Iterable[str]) -> Iterator[tuple[str, Requirement]]:
    """Walk the requirements of this platform down from the project's, each with who has it."""
    waiting, seen = [("the project", need) for need in _applying(wanted, "")], set()
    while waiting:
        by, need = waiting.pop()
        yield by, need
        name = canonicalize_name(need.name)
        for extra in (need.extras or {""}) - {e for n, e in seen if n == name}:
            seen.add((name, extra))
            with suppress(PackageNotFoundError):
                waiting += [(name, below) for below in _applying(requires(name) or (), extra)]


def _applying(texts: Iterable[str], extra: str) -> Iterator[Requirement]:
    for need in map(Requirement, texts):
        if not need.marker or need.marker.evaluate({"extra": extra}):
            yield need


def build_wheel(folder: Path) -> Path:
    """Build the project's wheel from a copy of its sources, of which nothing is left behind."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_environment(folder: Path, wheel: Path, extra: str | None) -> Path:
    """Make a virtual environment of a wheel, with an extra or none; return its programs' folder.

    The packages that the extra needs are links to those of this environment. pip then finds that
    nothing is missing, or fails.
    """
    venv.create(folder, symlinks=True)
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    for name in {need.name for _, need in requirements(of_project(extra))}:
        found = distribution(name)
        for entry in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (packages / entry).is_symlink():
                (packages / entry).symlink_to(Path(str(found.locate_file(entry))).resolve())
    python = folder / "bin" / "python"
    pip("--python", str(python), "install", f"{wheel}[{extra}]" if extra else str(wheel))
    return python.parent


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what leads Python or pip elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_", "MMPOSE_"))}
    return kept | {"PYTHONNOUSERSITE": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}


def pip(*arguments: str) -> None:
    """Run pip without an index.

    Raises:
        AssertionError: it failed; has its output.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
