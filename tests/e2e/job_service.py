"""A service of its own for tests of jobs, which can be killed with its whole Ray."""

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from serve_app.cli.serve import CONFIG
from serve_app.client import PoseClient
from tests.support import markers
from tools.serving import Serving, started

WAIT_S = 180.0
SEED = 25
SEGMENTS = 24
_NAMED = {"Idempotency-Key": "one"}


@dataclass(frozen=True)
class Survivor:
    """A service in its last life, after kills of all its processes.

    Attributes:
        url: of its HTTP interface. pid: of the process that started it.
        job_id: of the job that ran while it was killed. kills: count of them.
        video: bytes of the job's video.
    """

    url: str
    pid: int
    job_id: str
    kills: int
    video: bytes


@contextmanager
def survived(
    folder: Path, marker_config: Path, database: str | None, kills: int
) -> Iterator[Survivor]:
    """Start a service, kill it at random moments of a job, and start it again."""
    path = markers.write_video(folder / "squats.mp4", markers.squat(15 * SEGMENTS))
    chance, video, job_id = random.Random(SEED), path.read_bytes(), ""
    for life in range(kills + 1):
        with job_service(folder, marker_config, database, max_running_jobs=4) as service:
            if life == kills:
                yield Survivor(service.url, service.pid, job_id, kills, video)
                return
            with httpx.Client(base_url=service.url, timeout=60) as http:
                job_id = job_id or submit_named(http, video)
                wanted = SEGMENTS * 15 * chance.uniform(0.1, 0.4) * (life + 1)
                _until_analyzed(http, job_id, wanted)
            kill_everything(service)


def submit_named(http: httpx.Client, video: bytes) -> str:
    """Submit the job that the kills meet, which a second call finds; return its id."""
    answer = http.post("/jobs", files={"file": ("squats.mp4", video)}, headers=_NAMED)
    job_id: str = answer.raise_for_status().json()["id"]
    return job_id


def _until_analyzed(http: httpx.Client, job_id: str, frames: float) -> None:
    end = time.monotonic() + 120
    while True:
        job = http.get(f"/jobs/{job_id}").json()
        assert job["state"] in ("queued", "running"), job
        if job["frames_done"] >= frames:
            return
        assert time.monotonic() < end, job
        time.sleep(0.02)


@contextmanager
def job_service(
    folder: Path, marker_config: Path, database: str | None, **args: Any
) -> Iterator[Serving]:
    """Start the graph of ``serve.local.yaml`` on networks that find colored discs.

    Args:
        folder: keeps the jobs when the service is killed. marker_config: registry of the networks.
        database: URL of the table of jobs; None for SQLite. args: further settings.
    """
    config = yaml.safe_load(CONFIG.read_text())
    config["applications"][0]["args"] = {
        "config": str(marker_config),
        "jobs_dir": str(folder / "jobs"),
        "allowed_hosts": ["127.0.0.1"],
        "segment_s": 0.5,
        "segments_in_flight": 2,
        **({"jobs_database": database} if database else {}),
        **args,
    }
    with started(folder, config) as service:
        with PoseClient(service.url) as client:
            client.wait_until_ready(WAIT_S)
        yield service


def kill_everything(service: Serving) -> None:
    """Kill the process that started the service and all of its Ray, at once."""
    own = psutil.Process(service.pid)
    processes = [own, *own.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=30)


def ended(http: httpx.Client, job_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Wait until all jobs have ended, and return them by id."""
    deadline = time.monotonic() + WAIT_S
    jobs: dict[str, dict[str, Any]] = {}
    while len(jobs) < len(job_ids):
        assert time.monotonic() < deadline, jobs
        for job_id in job_ids:
            if job_id not in jobs:
                job = http.get(f"/jobs/{job_id}").raise_for_status().json()
                if job["state"] in ("succeeded", "failed", "cancelled"):
                    jobs[job_id] = job
        time.sleep(0.2)
    return jobs


def numbers(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without what differs from run to run: ids, addresses and times taken."""
    summary = {k: v for k, v in result["data"]["processing_summary"].items() if k != "timings_s"}
    return {
        "frames": result["data"]["poses_per_frame"],
        "summary": summary,
        "people": result["data"]["biomechanics_summary"],
        "warnings": result["warnings"],
    }
