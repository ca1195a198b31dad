"""The graph beside one process: python -m bench.serve_overhead [VIDEO]

On `config/serve.local.yaml`, on loopback: how long the graph takes to start, and one of as many
deployments that do nothing; what its processes do while nothing is asked; the same video by HTTP
and in one process, in turn, the graph idle meanwhile; the stages alone against all CPUs while the
graph works; how long the first finished segment takes beyond its own work; how full the batches of
the pose model are, and how long they wait to be, while eight videos are under way; two replicas of
the pose model, of one thread each, against one, and two processes of the bare network against one:
the limit of the machine itself. Measurements without enough time are skipped and named.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench.graph_handles import bare_rates, connected, first_segment, replica_rates
from bench.harness import CONSOLE, RESULTS, in_words, machine, save, shared, stages_of, table
from bench.histograms import Histogram, read_histogram, since
from bench.serve_table import rows
from serve_app.cli.serve import CONFIG
from serve_app.local import LocalStages
from serve_app.model_plan import plan_models
from serve_app.results.response_schema import PoseOptions
from serve_app.service import PoseService
from serve_app.setting_types import ROOT
from serve_app.settings import load_settings
from tools.serving import serving, started

FOLDER = ROOT / "out" / "bench"
VIDEOS_AT_ONCE = 8
TOLD_EVERY_S = 10.0  # by Ray's agent
REST_S = 20.0
WAITS_MS = (0.5, 1, 2, 3, 4, 5, 5.5, 6, 7, 8, 10, 12, 15, 20, 30, 50, 100, 200, 500, 1000, 5000)
VARIABLES = {
    "MMPOSE_MAX_CONCURRENT_REQUESTS": str(VIDEOS_AT_ONCE),
    "RAY_SERVE_BATCH_SIZE_BUCKETS": ",".join(map(str, range(1, 257))),  # exact
    "RAY_SERVE_REQUEST_LATENCY_BUCKETS_MS": ",".join(map(str, WAITS_MS)),
}

PARTS = {
    "load_s": "loading the models",
    "bare": "the bare network",
    "idle_s": "an idle graph",
    "at_rest": "the graph at rest",
    "in_turn": "the graph and a process in turn",
    "efficiency": "the stages alone",
    "first_segment": "the first segment",
    "batches": "batches of several videos",
    "replicas": "two replicas and one",
}
"""What is measured beside the start, in words."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Rest of the time budget, and the measurements that it did not allow."""

    end: float
    left_out: list[str] = field(default_factory=list)

    def left(self) -> float:
        """Seconds, above 0."""
        return max(self.end - time.monotonic(), 0.01)

    def measured(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return the result of ``measure``; None if there is no time for it."""
        CONSOLE.print(f"{name} ... ({self.left():.0f} s left)")
        try:
            if self.left() > 1:
                return measure()
        except (TimeoutError, httpx.TimeoutException, subprocess.TimeoutExpired):
            pass
        self.left_out.append(name)
        return None


@dataclass(frozen=True, slots=True)
class Graph:
    """The graph by HTTP."""

    url: str
    clock: Clock

    def answer(self, video: Path) -> float:
        """Seconds for an upload and its answer, without an annotated video."""
        began = time.perf_counter()
        with video.open("rb") as file:
            httpx.post(
                f"{self.url}/pose",
                timeout=self.clock.left(),
                files={"file": file},
                data={"video": "false"},
            ).raise_for_status()
        return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class Process:
    """The same in this process, as `analyze` does it."""

    service: PoseService
    clock: Clock

    def answer(self, video: Path) -> float:
        """Seconds for the same answer."""

        async def answered() -> None:
            with self.service.workspace() as folder:
                async with asyncio.timeout(self.clock.left()):
                    options = PoseOptions(video=False)
                    (await self.service.analyze_file(video, folder, options, "bench")).body()

        began = time.perf_counter()
        asyncio.run(answered())
        return time.perf_counter() - began


def in_turn(graph: Graph, process: Process, video: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of either, one after the other; fewer rounds where there is no time for more."""
    seconds: dict[str, list[float]] = {"graph_s": [], "process_s": []}
    for i in range(rounds):
        if i and graph.clock.left() < 1.2 * sum(times[-1] for times in seconds.values()):
            break
        seconds["graph_s"].append(graph.answer(video))
        seconds["process_s"].append(process.answer(video))
        CONSOLE.print("  " + ", ".join(f"{k} {times[-1]:.2f}" for k, times in seconds.items()))
    return seconds


def efficiency(
    graph: Graph, stages: LocalStages, options: Any, video: Path, rounds: int
) -> dict[str, Any]:
    """CPU seconds of the stages alone, in this process, and seconds of the graph.

    Raises:
        TimeoutError: there is no time for `bench.stages`, which takes about 5 times as long.
    """
    from bench.stages import measure

    served = [graph.answer(video) for _ in range(rounds)]
    if graph.clock.left() < 5 * min(served):
        raise TimeoutError
    costs, _ = measure(video, stages, options)
    alone = stages_cpu_s({cost.stage: cost.cpu_s for cost in costs})
    return {"video": video.name, "graph_s": served, "stages_cpu_s": alone}


def stages_cpu_s(cpu_s: Mapping[str, float]) -> float:
    """CPU seconds of all that makes an answer without a video, of those that `bench.stages` tells.

    Both stages that need pictures decode; it is done once.
    """
    pose = sum(s for stage, s in cpu_s.items() if stage.startswith("pose"))
    once = ("probe", "detect", "blur", "biomechanics", "answer")
    rest = (*once, "decode + letterbox", "decode + crop")
    return pose + sum(cpu_s[stage] for stage in rest) - cpu_s["decode"]


def batches(graph: Graph, metrics: str, video: Path) -> dict[str, Any]:
    """Sizes of the pose model's batches, and waits for them to fill, of several videos at once."""

    def now() -> list[Histogram]:
        text = httpx.get(metrics, timeout=30).text
        names = ("ray_serve_actual_batch_size", "ray_serve_batch_wait_time_ms")
        return [read_histogram(text, name, "RTMPose") for name in names]

    time.sleep(TOLD_EVERY_S + 1)  # earlier measurements are reported by then
    before = now()
    with ThreadPoolExecutor(VIDEOS_AT_ONCE) as pool:
        seconds = list(pool.map(graph.answer, [video] * VIDEOS_AT_ONCE))
    after = now()
    for _ in range(4):
        time.sleep(TOLD_EVERY_S + 1)
        last, after = after, now()
        if after == last != before:
            break
    sizes, waits_ms = (since(b, a) for b, a in zip(before, after, strict=True))
    return {"video": video.name, "seconds": seconds, "sizes": sizes, "waits_ms": waits_ms}


def at_rest(folder: Path) -> float | None:
    """CPUs that the graph's processes keep busy while nothing is asked; None without a /proc."""
    began, before = time.perf_counter(), _cpu_s(folder)
    time.sleep(REST_S)
    return (_cpu_s(folder) - before) / (time.perf_counter() - began) or None


def _cpu_s(folder: Path) -> float:
    """CPU seconds of the processes that were started with ``folder`` in their environment."""
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if os.fsencode(folder) in (process / "environ").read_bytes():
                after_name = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def load_s(clock: Clock) -> float:
    """Seconds for the models in a new process, imports included."""
    command = [sys.executable, "-m", "bench.serve_overhead", "--load"]
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, timeout=clock.left())
    return time.perf_counter() - began


def idle_s(folder: Path, clock: Clock) -> float:
    """Seconds until as many deployments that do nothing answer: what Ray itself takes.

    Raises:
        TimeoutError: there is no time left.
    """
    config = yaml.safe_load(CONFIG.read_text())
    (application,) = config["applications"]
    for deployment in application["deployments"]:
        deployment.pop("user_config", None)
    names = [deployment["name"] for deployment in application["deployments"]]
    application |= {"import_path": "bench.idle_graph:build", "args": {"names": names}}
    began = time.perf_counter()
    with started(folder, config) as graph:
        while time.monotonic() < clock.end:
            with suppress(httpx.TransportError):  # not there yet
                if httpx.get(graph.url, timeout=2).text == "ready":
                    return time.perf_counter() - began
            time.sleep(0.2)
    raise TimeoutError


def batching() -> dict[str, float]:
    """Return the settings of the pose model's batches in the graph's config."""
    config = yaml.safe_load(CONFIG.read_text())
    (pose,) = (d for d in config["applications"][0]["deployments"] if d["name"] == "RTMPose")
    return {
        "most": pose["user_config"]["max_batch_size"],
        "timeout_s": pose["user_config"]["batch_wait_timeout_s"],
    }


def measured(
    video: Path, short: Path, rounds: int, clock: Clock, only: Collection[str]
) -> dict[str, Any]:
    """All figures of ``only``; None for the others, and those that there was no time for."""
    figures: dict[str, Any] = {"video": video.name} | dict.fromkeys(PARTS)

    def measure_all(parts: Mapping[str, Callable[[], Any]]) -> None:
        for part in parts:
            if part in only:
                figures[part] = clock.measured(PARTS[part], parts[part])

    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder = Path(name)
        places = {"output": str(folder), "spool_dir": str(folder / "alone")}
        stages, options = stages_of(folder)  # first: it converts what is in no cache yet
        settings = load_settings(places)
        service = PoseService(settings, plan_models(settings), stages, lambda: stages.statuses)
        process = Process(service, clock)
        figures["models"] = [
            f"{s.name}, {s.engine} {s.precision}" for s in service.models if s.loaded
        ]
        measure_all(
            {
                "load_s": lambda: load_s(clock),
                "bare": lambda: bare_rates(rounds),
                "idle_s": lambda: idle_s(folder, clock),
            }
        )
        began = time.perf_counter()
        with serving(folder, clock.left(), **VARIABLES) as served:
            figures["ready_s"] = time.perf_counter() - began
            graph = Graph(served.url, clock)
            clock.measured("warming", lambda: (graph.answer(short), process.answer(short)))
            with connected(served) as metrics:
                measure_all(
                    {
                        "at_rest": lambda: at_rest(folder),
                        "in_turn": lambda: in_turn(graph, process, video, rounds),
                        "efficiency": lambda: efficiency(graph, stages, options, video, rounds),
                        "first_segment": lambda: first_segment(
                            video, folder, options, rounds, clock.left()
                        ),
                        "batches": lambda: batches(graph, metrics, short) | batching(),
                        "replicas": lambda: replica_rates(rounds, clock.left()),
                    }
                )
        stages.close()
    return figures


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path, help="default: a generated 60 s of 1080p")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget-s", type=float, default=1500.0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument(
        "--rtmpose-m", action="store_true", help="of random weights, in place of what is here"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures")
    parser.add_argument("--name", default="serve_overhead", help="of the figures")
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if given.load:
        stages_of(FOLDER)[0].close()
        return
    if given.rtmpose_m:
        from bench.peer_weights import rtmpose_m

        os.environ["MMPOSE_CONFIG"] = str(rtmpose_m()[2])
    facts = machine()
    CONSOLE.print(in_words(facts))
    video = short = given.video
    if video is None:
        data = shared()
        if data is None:
            parser.error("no video was given, and the videos of shared/ are not here")
        from bench import peer_weights  # imports torch, which one process may not need

        short = data / "videos" / "sports2d_demo.mp4"
        video = peer_weights.long_clip(short, 60.0, peer_weights.FOLDER / "clip-60s-1080p.mp4")
    clock = Clock(time.monotonic() + given.budget_s)
    figures = measured(video, short, given.rounds, clock, given.only)
    table(
        f"{video.name}: {', '.join(figures['models'])}",
        ("what", "measured", "target"),
        rows(figures, facts["cpus_used"]),
    )
    if clock.left_out:
        CONSOLE.print(f"no time for: {', '.join(clock.left_out)}")
    save(
        given.name,
        {"machine": facts, **figures, "left_out": clock.left_out},
        given.results,
    )


if __name__ == "__main__":
    main()
