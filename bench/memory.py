"""Memory for a short and a long video of 720p: python -m bench.memory [--seconds 10 3600]

Each is analyzed in a separate process, whose peak of resident memory is printed, with the size of
its results (the arrays of the clip), which grow with the video and are taken off.
"""

import argparse
import json
import logging
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av

from bench.harness import CONSOLE, in_words, job_of, machine, save, shared, stages_of, table
from bench.peer_weights import long_clip
from deployments.concurrency import run_async
from serve_app.pipeline import run
from serve_app.setting_types import ROOT

FOLDER = ROOT / "out" / "bench"
PIECE_S = 10.0
KEEP = 1.1  # the target: within a tenth


def repeated(piece: Path, seconds: float, out: Path) -> Path:
    """``piece`` again and again for so long, its packets as they are."""
    if out.exists():
        return out
    made = out.with_suffix(".part.mp4")
    with av.open(str(made), "w") as target:
        stream, offset, done = None, 0, 0.0
        while done < seconds:
            with av.open(str(piece)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                end = 0
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    target.mux(packet)
                offset += end
                done = float(offset * (video.time_base or 0))
    made.rename(out)
    return out


def child(path: Path, annotated: bool) -> dict[str, Any]:
    """Analyze once, and tell the peak of this process."""
    logging.disable(logging.WARNING)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        stages, options = stages_of(Path(name))
        loaded = _peak()
        job = job_of(path, Path(name), options, annotated=annotated)
        outcome = run_async(run(job, stages))
        peak = _peak()
        results = len(pickle.dumps((outcome.clip, outcome.biomechanics), protocol=5))
        stages.close()
    return {
        "frames": outcome.media.frame_count,
        "seconds": time.perf_counter() - began,
        "peak_mb": peak,
        "loaded_mb": loaded,
        "results_mb": results / 2**20,
    }


def _peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", nargs="+", type=float, default=[10.0, 3600.0])
    parser.add_argument("--annotated", action="store_true", help="draw the video too")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if given.child:
        print(json.dumps(child(given.child, given.annotated)))
        return
    data = shared()
    if data is None:
        parser.error("the videos of shared/ are not here")
    facts = machine()
    CONSOLE.print(in_words(facts))
    demo = data / "videos" / "sports2d_demo.mp4"
    piece = long_clip(demo, PIECE_S, FOLDER / "piece-720p.mp4", (1280, 720))
    rows = []
    for seconds in given.seconds:
        path = repeated(piece, seconds, FOLDER / f"720p-{seconds:g}s.mp4")
        command = [sys.executable, "-m", "bench.memory", "--child", str(path)]
        command += ["--annotated"] if given.annotated else []
        told = subprocess.run(
            command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True, check=True
        )
        rows.append({"video_s": seconds, **json.loads(told.stdout.splitlines()[-1])})
    without = [row["peak_mb"] - row["results_mb"] for row in rows]
    table(
        "peak of resident memory, MiB",
        ("video", "frames", "took", "models loaded", "peak", "results", "peak less results"),
        [
            (
                f"{row['video_s']:g} s",
                row["frames"],
                f"{row['seconds']:.0f} s",
                *(f"{row[k]:.0f}" for k in ("loaded_mb", "peak_mb", "results_mb")),
                f"{rest:.0f}",
            )
            for row, rest in zip(rows, without, strict=True)
        ],
    )
    ratio = without[-1] / without[0]
    CONSOLE.print(f"the longest against the shortest: {ratio:.3f} (target: at most {KEEP})")
    save("memory", {"machine": facts, "annotated": given.annotated, "rows": rows, "ratio": ratio})


if __name__ == "__main__":
    main()
