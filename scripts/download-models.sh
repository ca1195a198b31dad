#!/bin/sh
# Fetch the published checkpoints: scripts/download-models.sh mmpose [KEY...]
# They go to $MMPOSE_WEIGHTS_DIR, else weights/mmpose/.
set -eu
[ "${1:-}" = mmpose ] || { echo "usage: $0 mmpose [MODEL_KEY...]" >&2; exit 2; }
shift
cd "$(dirname "$0")/.."
command=.venv/bin/mmpose-service
[ -x "$command" ] || command=mmpose-service
exec "$command" models download "$@"
