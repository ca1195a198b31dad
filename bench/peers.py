"""This project beside its peers, in one run on one machine: python -m bench.peers

Every peer runs in its own environment (out/peers/, made at the first call) and process; measured
is its work on a video, by itself, without imports and loading of models. Rounds go through all of
them in turn, so that a change of the machine's mood meets all alike. Where the budget of time ends,
later rounds are left out, and the table says how many runs there were.

Three sets of weights: `MoveNet` is the default network in both roles; `stand-in` are the two ONNX
files of shared/weights; `RTMPose-m` is that network with random weights, as its time does not
depend on them, behind the stand-in's detector.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.harness import CONSOLE, in_words, machine, save, shared, table
from bench.peer_weights import FOLDER, KEY, STAND_INS, WEIGHTS, in_int8, long_clip, rtmpose_m
from serve_app.setting_types import ROOT

SCRIPTS = ROOT / "bench" / "peer_scripts"
PACKAGES = {
    "rtmlib": ["rtmlib==0.0.16", "onnxruntime==1.32.0", "av==18.1.0"],
    "sports2d": ["sports2d==0.8.34", "onnxruntime==1.32.0"],
    "mediapipe": ["mediapipe==0.10.21", "av==18.1.0"],
}
MOST_S = 900.0
PRECISIONS = {
    "bf16": {"MMPOSE_MIXED_PRECISION": "true"},
    "fp32": {"MMPOSE_MIXED_PRECISION": "false"},
}


@dataclass(frozen=True, slots=True)
class Run:
    """One peer on one video.

    Attributes:
        peer, weights: for people. video: name of it. annotated: whether a video is made.
        command: what is run; `OUT` in it is a new path for the annotated video, `FOLDER` a new
            folder. environment: added to this process's.
    """

    peer: str
    weights: str
    video: str
    annotated: bool
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def environment(name: str) -> str | None:
    """The Python of a peer, installed if it is not there; None if it cannot be."""
    python = FOLDER / name / "bin" / "python"
    done = FOLDER / name / "installed.txt"
    wanted = "\n".join(PACKAGES[name])
    if not (done.exists() and done.read_text() == wanted):
        CONSOLE.print(f"installing {name} ...")
        commands = (
            [sys.executable, "-m", "venv", "--clear", str(FOLDER / name)],
            [str(python), "-m", "pip", "install", "-q", *PACKAGES[name]],
        )
        for command in commands:
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            if told.returncode:
                CONSOLE.print(f"{name} cannot be installed: {told.stderr.strip()[-300:]}")
                return None
        done.write_text(wanted)
    return str(python)


def wanted(only: Sequence[str], *names: str) -> bool:
    """Return whether a word is in a name, in upper or lower case."""
    return any(word.lower() in name.lower() for word in only for name in names)


def runs_on(
    video: Path, data: Path, pythons: Mapping[str, str | None], only: Sequence[str]
) -> Iterator[Run]:
    """Return what can be run on a video, of the peers and weights that are wanted."""
    runs = _runs_on(video, data, pythons, with_rtmpose=wanted(only, "RTMPose-m", "MMPose"))
    return (run for run in runs if wanted(only, run.peer, run.weights))


def _runs_on(
    video: Path, data: Path, pythons: Mapping[str, str | None], *, with_rtmpose: bool
) -> Iterator[Run]:
    """Return all that can be run on a video, the quickest first."""
    weights = data / "weights"
    detector, stand_in = (
        str(weights / f"{name}.onnx")
        for name in ("rtmdet-nano_person_320", "movenet-lightning_rtmpose-io_256x192")
    )
    behind = {name: STAND_INS | chosen for name, chosen in PRECISIONS.items()}
    sets: dict[str, tuple[str | None, Mapping[str, Mapping[str, str]]]] = {
        "MoveNet": (None, PRECISIONS),
        "stand-in": (stand_in, behind),
    }
    if with_rtmpose:
        checkpoint, export, registry = rtmpose_m()
        sets["RTMPose-m"] = (str(export), _of_rtmpose_m(registry, data))
    ours = (sys.executable, "-m", "bench.peer_scripts.ours", str(video))
    for annotated in (False, True):
        out = ("OUT",) if annotated else ()
        for name, (pose, precisions) in sets.items():
            for precision, chosen in precisions.items():
                yield Run(f"ours, {precision}", name, video.name, annotated, (*ours, *out), chosen)
            if pose and (python := pythons["rtmlib"]):
                script = str(SCRIPTS / "rtmlib_loop.py")
                command = (python, script, detector, pose, str(video), *out)
                yield Run("rtmlib 0.0.16", name, video.name, annotated, command)
        if python := pythons["mediapipe"]:
            command = (python, str(SCRIPTS / "mediapipe_run.py"), str(video), *out)
            yield Run("MediaPipe 0.10.21", "BlazePose full", video.name, annotated, command)
        if python := pythons["sports2d"]:
            told = ("annotated",) if annotated else ()
            script = str(SCRIPTS / "sports2d_run.py")
            command = (python, script, detector, stand_in, str(video), "FOLDER", *told)
            yield Run("Sports2D 0.8.34", "stand-in", video.name, annotated, command)
    if not with_rtmpose:
        return
    folded = str(weights / "rtmdet-nano_person_320.pth")
    command = (sys.executable, "-m", "bench.peer_scripts.inferencer", str(checkpoint), folded)
    yield Run("MMPoseInferencer 1.3.2", "RTMPose-m", video.name, False, (*command, str(video)))


def _of_rtmpose_m(registry: Path, data: Path) -> dict[str, dict[str, str]]:
    """Variables of each precision. The stand-in has no int8: its keypoints move by 1.6 pixels."""
    video = data / "videos" / "sports2d_demo.mp4"
    folder = in_int8(registry, video, WEIGHTS / "int8")
    int8 = {"MMPOSE_QUANTIZED": str(folder), **PRECISIONS["bf16"]}
    config = STAND_INS | {"MMPOSE_POSE_MODEL": KEY, "MMPOSE_CONFIG": str(registry)}
    return {name: config | chosen for name, chosen in {"int8": int8, **PRECISIONS}.items()}


def crop_runs(data: Path, pythons: Mapping[str, str | None]) -> Iterator[Run]:
    """CPU cost of one RTMPose-m crop."""
    _, export, registry = rtmpose_m()
    image = str(sorted((data / "images").glob("*.jpg"))[0])
    for precision, chosen in _of_rtmpose_m(registry, data).items():
        command = (sys.executable, "-m", "bench.peer_scripts.our_crops", image)
        yield Run(f"ours, {precision}", "RTMPose-m", "a crop", False, command, chosen)
    if python := pythons["rtmlib"]:
        command = (python, str(SCRIPTS / "rtmlib_crops.py"), str(export), image)
        yield Run("rtmlib 0.0.16", "RTMPose-m", "a crop", False, command)


def once(run: Run, most_s: float) -> dict[str, Any]:
    """Return the result of a run, or the reason why it has none."""
    with TemporaryDirectory() as name:
        places = {"OUT": str(Path(name) / "annotated.mp4"), "FOLDER": name}
        command = [places.get(part, part) for part in run.command]
        try:
            told = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **run.environment, "PYTHONWARNINGS": "ignore"},
                capture_output=True,
                text=True,
                timeout=most_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"not done after {most_s:.0f} s"}
    lines = told.stdout.strip().splitlines()
    if told.returncode or not lines:
        lines = (told.stderr.strip() or told.stdout.strip()).splitlines()
        return {"error": lines[-1] if lines else f"it ended with {told.returncode}"}
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def measured(runs: Sequence[Run], rounds: int, budget_s: float) -> list[dict[str, Any]]:
    """A row a run: facts, and the wall and CPU seconds of each time it was run."""
    began = time.monotonic()
    rows: list[dict[str, Any]] = [
        {
            "peer": r.peer,
            "weights": r.weights,
            "video": r.video,
            "annotated": r.annotated,
            "runs": [],
        }
        for r in runs
    ]
    longest = [0.0] * len(runs)
    for number in range(rounds):
        for i, (run, row) in enumerate(zip(runs, rows, strict=True)):
            left = budget_s - (time.monotonic() - began)
            if "error" in row or left < max(longest[i], 5.0):
                continue
            start = time.monotonic()
            told = once(run, min(left, MOST_S))
            longest[i] = time.monotonic() - start
            if "error" in told:
                row["error"] = told["error"]
            else:
                row["runs"].append(told)
            what = (
                told.get("error")
                or f"{told.get('wall_s', 0):.2f} s, CPU {told.get('cpu_s', 0):.2f}"
            )
            CONSOLE.print(f"  {number + 1}: {run.peer}, {run.weights}, {run.video}: {what}")
    return rows


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """One table."""
    lines: list[tuple[Any, ...]] = []
    for row in rows:
        runs = row["runs"]
        walls = sorted(r["wall_s"] for r in runs)
        if not walls:
            why = row.get("error", "no time was left")[:40]
            lines.append((row["peer"], row["weights"], row["video"], "", why, "", "", ""))
            continue
        frames = next((r["frames"] for r in runs if "frames" in r), None)
        lines.append(
            (
                row["peer"],
                row["weights"],
                row["video"],
                "yes" if row["annotated"] else "no",
                " / ".join(f"{w:.2f}" for w in (walls[0], median(walls), walls[-1])),
                f"{median(r['cpu_s'] for r in runs):.1f}",
                f"{frames / median(walls):.0f}" if frames else "",
                len(runs),
            )
        )
    table(
        "seconds of work: least, median, most",
        ("peer", "weights", "video", "annotated", "wall", "CPU", "frames/s", "runs"),
        lines,
    )


def main() -> None:
    """Measure, print, draw and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path, help="default: those of shared/videos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--clip-s", type=float, default=60.0, help="generated clip of 1080p; 0: none"
    )
    parser.add_argument("--budget-s", type=float, default=3600.0, help="for all videos together")
    parser.add_argument("--clip-budget-s", type=float, help="of these, for the clip; default: half")
    parser.add_argument("--name", default="peers", help="of the results")
    parser.add_argument(
        "--only", nargs="+", metavar="WORD", help="rows whose peer or weights have one of them"
    )
    given = parser.parse_args()
    data = shared()
    if data is None:
        parser.error("the weights and videos of shared/ are not here")
    facts = machine()
    CONSOLE.print(in_words(facts))
    only = given.only or [""]
    pythons = {name: environment(name) if wanted(only, name) else None for name in PACKAGES}
    demo = data / "videos" / "sports2d_demo.mp4"
    videos = given.videos or [demo]
    of_crops = crop_runs(data, pythons) if wanted(only, "RTMPose-m") else ()
    crops = [once(run, 300.0) | {"peer": run.peer} for run in of_crops]
    for row in crops:
        CONSOLE.print(f"  a crop, CPU ms, {row['peer']}: {row.get('crop_cpu_ms', row)}")
    for_clip = (given.clip_budget_s or given.budget_s / 2) if given.clip_s else 0.0
    runs = [run for video in videos for run in runs_on(video, data, pythons, only)]
    rows = measured(runs, given.rounds, given.budget_s - for_clip)
    if given.clip_s:
        clip = long_clip(demo, given.clip_s, FOLDER / f"clip-{given.clip_s:g}s-1080p.mp4")
        rows += measured([*runs_on(clip, data, pythons, only)], given.rounds, for_clip)
    show(rows)
    missing = [name for name, python in pythons.items() if python is None]
    save(
        given.name,
        {"machine": facts, "not_installed": missing, "crops": crops, "rows": rows},
    )


if __name__ == "__main__":
    main()
