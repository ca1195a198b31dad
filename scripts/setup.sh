#!/bin/sh
# Make the virtual environment from the pinned locks: scripts/setup.sh [VENV_DIR] [--no-dev]
# Needs Python 3.11 with venv, and a C compiler (xtcocotools has no wheel for numpy 2).
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
python=${PYTHON:-python3.11}
command -v "$python" >/dev/null || python=python3

"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
  echo "error: Python 3.11 is needed, found: $("$python" --version 2>&1) (set PYTHON=/path/to/python3.11)" >&2; exit 1; }
command -v cc >/dev/null || command -v gcc >/dev/null || {
  echo "error: a C compiler is needed (Debian: apt-get install gcc python3-dev)" >&2; exit 1; }

"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check uv==0.13.9

# uv reads nothing of pip's configuration: pass on where pip is told to look for packages, and for
# local wheels (a CPU build of torch, say). Certificates are the system's, as a company's own may be.
of_pip() { "$venv/bin/python" -m pip config get "global.$1" 2>/dev/null || true; }
links=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-$(of_pip find-links)}}
[ -z "$links" ] || export UV_FIND_LINKS="$links"
index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(of_pip index-url)}}
[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"

locks="-r requirements.lock"
[ "${2:-}" = --no-dev ] || locks="$locks -r requirements-dev.lock"
install() { "$venv/bin/uv" pip install -q --system-certs --python "$venv/bin/python" --no-deps "$@"; }
grep -v '^xtcocotools==' requirements.lock > "$venv/wheels.lock"
# shellcheck disable=SC2086  # the list is meant to be split
install $(echo "$locks" | sed "s#requirements.lock#$venv/wheels.lock#")
# Built here, against the numpy just installed: the published wheel is for numpy 1.
install --no-build-isolation --no-binary xtcocotools "$(grep '^xtcocotools==' requirements.lock)"
# PyPI's torch is the CUDA build, and was installed without its libraries.
if "$venv/bin/python" -c 'import importlib.metadata as m, sys
sys.exit(not any("nvidia" in r for r in m.requires("torch") or ()))'; then
  install -r requirements-cuda.lock
fi
install --no-build-isolation -e .
# Compiled once, here: every process of the graph imports Ray Serve, and where Python writes no
# bytecode (PYTHONDONTWRITEBYTECODE, a folder that is not its own) each would compile it anew.
# Packages have templates that are no Python: those are passed over.
"$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" biomech deployments serve_app || :
# What was installed, so that make can tell when the locks have moved on.
cat requirements.lock requirements-dev.lock > "$venv/installed.lock"
