"""Measure the page in Chromium: python -m bench.page [VIDEO] [--runs N]

On `config/serve.local.yaml`, on loopback, for a video of ten seconds: the time from handing it to
the page until its curves are there, in turn with the time from submitting it until its annotated
video can be fetched; the bytes that the page loads; and its first paint. Needs Chromium.
"""

import argparse
import gzip
import tempfile
import time
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av
import httpx

from bench.harness import CONSOLE, in_words, machine, table
from serve_app.cli.downloads import find_demo_video
from serve_app.client import PoseClient
from tools.chromium import chromium
from tools.serving import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Response

SECONDS = 10
MOST_MS = 300_000
CURVES = """() => {
  const shown = !document.getElementById("result").hidden;
  return shown && document.querySelectorAll("#curves canvas").length > 0;
}"""
FIRST_PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime"""


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    source = given.video or find_demo_video()
    if source is None:
        raise SystemExit("give a video: the demonstration video is absent")
    CONSOLE.print(in_words(machine()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = looped(source, folder / f"ten_seconds{source.suffix}")
        with serving(folder, MMPOSE_ALLOWED_HOSTS="127.0.0.1") as service, chromium() as browser:
            in_turn(browser, service.url, video, given.runs)
            weight(browser, service.url)


def looped(source: Path, path: Path) -> Path:
    """Write the first ten seconds of a video that repeats, as H.264."""
    with av.open(str(path.with_suffix(".mp4")), "w") as out:
        with av.open(str(source)) as first:
            of = first.streams.video[0]
            rate = of.average_rate or Fraction(30)
            stream = out.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
            stream.width, stream.height = of.width, of.height
            stream.pix_fmt = "yuv420p"
        for nth, frame in enumerate(islice(endless(source), round(SECONDS * rate))):
            frame.pts, frame.time_base = nth, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path.with_suffix(".mp4")


def endless(source: Path) -> Iterator[av.VideoFrame]:
    """Yield the pictures of a video again and again."""
    while True:
        with av.open(str(source)) as container:
            yield from container.decode(video=0)


def in_turn(browser: "Browser", url: str, video: Path, runs: int) -> None:
    """Time the page and the annotated video in turn; the first of each is not counted."""
    curves, annotated = [], []
    for nth in range(runs + 1):
        drawn, made = until_curves(browser, url, video), until_annotated(url, video)
        if nth:
            curves.append(drawn)
            annotated.append(made)
    rows = [
        (what, *(f"{x:.1f}" for x in (median(times), min(times), max(times))))
        for what, times in (("curves on the page", curves), ("annotated video", annotated))
    ]
    table(f"{SECONDS} s of video, s, {runs} runs", ("until", "median", "least", "most"), rows)


def until_curves(browser: "Browser", url: str, video: Path) -> float:
    """Seconds from handing the page a video until its first curves."""
    page = browser.new_page(viewport={"width": 1280, "height": 844})
    try:
        page.goto(url)
        began = time.perf_counter()
        page.locator("#file").set_input_files(video)
        page.wait_for_function(CURVES, timeout=MOST_MS)
        return time.perf_counter() - began
    finally:
        page.close()


def until_annotated(url: str, video: Path) -> float:
    """Seconds from submitting a video until its annotated one has been fetched."""
    with PoseClient(url) as client:
        began = time.perf_counter()
        job = client.submit(video)
        ended = client.wait(job.id)
        assert ended.links.video, ended
        httpx.get(f"{url}{ended.links.video}", timeout=60).raise_for_status()
        return time.perf_counter() - began


def weight(browser: "Browser", url: str, visits: int = 5) -> None:
    """Print the bytes that the page loads by kind, and its first paint without a cache."""
    bodies: dict[str, bytes] = {}
    paints = [first_paint(browser, url, bodies) for _ in range(visits)]
    table("bytes", ("kind", "files", "bytes", "gzip"), kinds(bodies))
    figures = (median(paints), min(paints), max(paints))
    columns = ("", "median", "least", "most")
    table(f"{visits} visits, ms", columns, [("first paint", *(f"{x:.0f}" for x in figures))])


def first_paint(browser: "Browser", url: str, bodies: dict[str, bytes]) -> float:
    """Milliseconds until the page paints in a new window; ``bodies`` gets its files by path."""
    context = browser.new_context(viewport={"width": 1280, "height": 844})
    page = context.new_page()
    seen: list[Response] = []

    def note(answer: "Response") -> None:  # Playwright takes no built-in method
        seen.append(answer)

    page.on("response", note)
    page.goto(url, wait_until="networkidle")
    paint = float(page.evaluate(FIRST_PAINT))
    bodies |= {at: answer.body() for answer in seen if (at := static(answer.url)) is not None}
    context.close()
    return paint


def static(address: str) -> str | None:
    """Path of a file of the page; None for answers of the service."""
    path = urlsplit(address).path
    return path if path == "/" or path.startswith("/static/") else None


def kinds(bodies: Mapping[str, bytes]) -> list[tuple[str, int, int, int]]:
    """Count files, bytes, and bytes compressed one by one, by the end of the name."""
    rows = []
    for kind in sorted({Path(path).suffix for path in bodies}):
        files = [body for path, body in bodies.items() if Path(path).suffix == kind]
        packed = sum(len(gzip.compress(body, 6)) for body in files)
        rows.append((kind or "page", len(files), sum(map(len, files)), packed))
    return rows


if __name__ == "__main__":
    main()
