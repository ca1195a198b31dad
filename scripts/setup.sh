#!/bin/sh
# Make the virtual environment from the pinned locks: scripts/setup.sh [VENV_DIR] [--no-dev]
# Needs Python 3.11 to 3.14 with venv (PYTHON=/path/to/python chooses one), or else uv, or another
# Python with venv by which to get uv: uv then brings Python 3.11. Nothing is compiled.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
uv_pin=uv==0.13.9
fail() { echo "error: $*" >&2; exit 1; }

fits() {
  "$1" -c 'import sys, venv, ensurepip
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}
python=
if [ -n "${PYTHON:-}" ]; then
  fits "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 to 3.14 with venv" \
    "($("$PYTHON" --version 2>&1 | sed 's/.*: //')): name one that is, or unset PYTHON"
  python=$PYTHON
else
  for candidate in python3.11 python3.12 python3.13 python3.14 python3; do
    if fits "$candidate"; then python=$candidate; break; fi
  done
fi

# uv reads nothing of pip's configuration: pass on where pip is told to look for packages, and for
# local wheels (a CPU build of torch, say). Certificates are the system's, as a company's own may be.
of_pip() { "$1" -m pip config get "global.$2" 2>/dev/null || true; }
pass_on() {
  links=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-$(of_pip "$1" find-links)}}
  [ -z "$links" ] || export UV_FIND_LINKS="$links"
  index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(of_pip "$1" index-url)}}
  [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
}
install_uv() { "$1" -m pip install -q --disable-pip-version-check "$uv_pin"; }

if [ -n "$python" ]; then
  "$python" -m venv "$venv"
else
  refuse() {  # what failed, and what it said
    fail "no Python 3.11 to 3.14 with venv was found, and $1" \
      "($(echo "$2" | sed -n 's/^ *//; s/^cause: //; s/^.*: \(not found\)$/\1/; $p')):" \
      "install Python 3.11 with venv (Debian: apt-get install python3.11-venv)" \
      "or set PYTHON=/path/to/python3.11"
  }
  if ! uv=$(command -v uv); then
    # In a folder of its own: the Python that is here only gets uv.
    bootstrap=$(mktemp -d)
    trap 'rm -rf "$bootstrap"' EXIT
    said=$({ python3 -m venv "$bootstrap" && install_uv "$bootstrap/bin/python"; } 2>&1) ||
      refuse "python3 could not get uv to bring one" "$said"
    uv=$bootstrap/bin/uv
    pass_on "$bootstrap/bin/python"
  fi
  echo "no Python 3.11 to 3.14 with venv was found: uv brings Python 3.11 ..."
  said=$(UV_SYSTEM_CERTS=1 "$uv" venv -q --seed --python 3.11 "$venv" 2>&1) ||
    refuse "uv could not bring one" "$said"
fi
install_uv "$venv/bin/python"
pass_on "$venv/bin/python"

locks="-r requirements.lock"
[ "${2:-}" = --no-dev ] || locks="$locks -r requirements-dev.lock"
install() { "$venv/bin/uv" pip install -q --system-certs --python "$venv/bin/python" --no-deps "$@"; }
# shellcheck disable=SC2086  # the list is meant to be split
install --only-binary :all: $locks
# The CUDA build of torch, which PyPI has for Linux, was installed without its libraries.
if "$venv/bin/python" -c 'import importlib.metadata, sys
from packaging.requirements import Requirement
needs = map(Requirement, importlib.metadata.requires("torch") or ())
here = [r.name for r in needs if r.marker is None or r.marker.evaluate({"extra": ""})]
sys.exit(not any("nvidia" in name for name in here))'; then
  install --only-binary :all: -r requirements-cuda.lock
fi
install --no-build-isolation -e .
# Compiled once, here: every process of the graph imports Ray Serve, and where Python writes no
# bytecode (PYTHONDONTWRITEBYTECODE, a folder that is not its own) each would compile it anew.
# Packages have templates that are no Python: those are passed over.
"$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" biomech deployments serve_app || :
# What was installed, so that make can tell when the locks have moved on.
cat requirements.lock requirements-dev.lock > "$venv/installed.lock"
