"""The page in Chromium, on a phone and a desk, light and dark: from a dropped video to its exports.

Screenshots are kept in ``out/page/``: ``start``, ``result``, ``two`` and ``docs``, by width and
color scheme.
"""

import base64
import json
import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from urllib.parse import urlsplit

import av
import httpx
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import first_frames
from tests.support import corpus
from tests.support.numbered_pictures import number_of
from tools.chromium import ChromiumMissingError, chromium

PICTURES = ROOT / "out" / "page"
FRAMES = 60
SEEKS = 20
HANGS_MS = 120_000
VIEWS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]
EXPORTS = {
    "Whole result (JSON)": (".json", b"{"),
    "Spreadsheet (CSV)": (".csv", b'"run_id","person_id"'),
    "Parquet": (".parquet", b"PAR1"),
    "OpenSim .trc": (".trc", b"PathFileType"),
    "OpenSim .mot": (".mot", b""),
    "C3D": (".c3d", b"\x02P"),
    "COCO": (".json", b"[{"),
}
"""End of the name and first bytes of the file that each button saves."""

RECORD_DOTS = """
const arc = CanvasRenderingContext2D.prototype.arc;
window.dots = [];
CanvasRenderingContext2D.prototype.arc = function (x, y, ...others) {
  if (this.canvas.id === "overlay") {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const at = this.getTransform().transformPoint({ x, y });
    const { width: wide, height: high } = this.canvas;
    window.dots.push([left + at.x * width / wide, top + at.y * height / high]);
  }
  return arc.call(this, x, y, ...others);
};
"""
"""Note each dot of the overlay, in pixels of the window."""

FILE = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], name, { type: "video/mp4" }));
  return dropped;
}"""
SETTLED = """(frame) => {
  const video = document.getElementById("video");
  const at = document.getElementById("scrub").value;
  return video.readyState >= 2 && !video.seeking && Number(at) === frame;
}"""
OTHER_AT = """(frame) => {
  const other = document.getElementById("other-video");
  return other.readyState >= 2 && Math.abs(other.currentTime * 30 - frame) < 1.5;
}"""
TWO_FRAMES = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
PICTURE_PLACE = """() => {
  const video = document.getElementById("video");
  const { left, top, width, height } = video.getBoundingClientRect();
  return [left, top, width, height, video.videoWidth, video.videoHeight];
}"""
PIXELS = """() => {
  const video = document.getElementById("video");
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0);
  return [...pen.getImageData(0, 0, canvas.width, canvas.height).data];
}"""
OPACITY = """(points) => points.map(([x, y]) => {
  const canvas = document.getElementById("overlay");
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const across = Math.round((x - left) * canvas.width / width);
  const down = Math.round((y - top) * canvas.height / height);
  return canvas.getContext("2d").getImageData(across, down, 1, 1).data[3];
})"""


@dataclass
class Visit:
    """A page of a browser, the addresses that it asked and its errors."""

    page: object
    url: str
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def drop(self, path):
        """Drop a file on the page as a user does, and wait until its result is there."""
        text = base64.b64encode(path.read_bytes()).decode()
        dropped = self.page.evaluate_handle(FILE, [path.name, text])
        self.page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
        self.page.locator("#result").wait_for(timeout=HANGS_MS)
        return self.page.url.rpartition("#")[2]

    def seek(self, frame):
        self.page.locator("#scrub").fill(str(frame))
        self.settle(frame)

    def settle(self, frame):
        self.page.wait_for_function(SETTLED, arg=frame, timeout=HANGS_MS)
        self.page.evaluate(TWO_FRAMES)

    def frame(self):
        return int(self.page.locator("#scrub").input_value())

    def faults(self):
        """Serious and critical faults that axe finds."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        found = axe.Axe().run(self.page).response["violations"]
        return [
            (fault["id"], fault["impact"], [node["target"] for node in fault["nodes"]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]

    def picture(self, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    def asked_elsewhere(self):
        """Addresses that were asked of any other host."""
        here = urlsplit(self.url).netloc
        split = [(urlsplit(address), address) for address in self.asked]
        return [a for at, a in split if at.scheme not in ("blob", "data") and at.netloc != here]


@pytest.fixture(scope="module")
def browser():
    try:
        with chromium() as started:
            yield started
    except ChromiumMissingError as missing:
        pytest.skip(str(missing))


@contextmanager
def visit(browser, url, width, scheme, path=""):
    """Open a path of the service in a new window, whose log must be clean at the end."""
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        device_scale_factor=2 if width < 500 else 1,
        color_scheme=scheme,
        locale="en-US",
    )
    context.add_init_script(RECORD_DOTS)
    made = Visit(context.new_page(), url)
    made.page.on("request", lambda request: made.asked.append(request.url))
    made.page.on("pageerror", lambda error: made.errors.append(str(error)))
    made.page.on("console", lambda said: said.type == "error" and made.errors.append(said.text))
    made.page.goto(f"{url}/{path}")
    yield made
    assert made.asked
    assert made.asked_elsewhere() == []
    assert made.errors == []
    context.close()


@pytest.fixture(scope="module")
def video(demo_video, tmp_path_factory):
    """The beginning of the real video."""
    return first_frames(demo_video, tmp_path_factory.mktemp("page") / "run.mp4", FRAMES)


def seen_points(result, frame):
    """Keypoints (x, y) of everybody in a frame that are above the threshold."""
    of = result["data"]["poses_per_frame"][frame]
    least = result["data"]["processing_summary"]["confidence_threshold"]
    people = [of] if of["pose"] else []
    known = {of["pose"]["track_id"]} if of["pose"] else set()
    people += [person for person in of["people"] if person["track_id"] not in known]
    points = [point for person in people for point in person["keypoints"].values()]
    return [
        (point["x"], point["y"])
        for point in points
        if point["x"] is not None and point["confidence"] >= least
    ]


def in_the_window(place, points):
    """Return the places in the window of points of the picture, which is fitted and centered."""
    left, top, width, height, wide, high = place
    scale = min(width / wide, height / high)
    corner = left + (width - scale * wide) / 2, top + (height - scale * high) / 2
    return np.asarray(points) * scale + corner


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_from_a_dropped_video_to_its_exports(browser, running, video, width, scheme):
    with visit(browser, running.url, width, scheme) as there:
        page, view = there.page, f"{width}_{scheme}"
        page.get_by_role("heading", level=2).first.wait_for()
        assert there.faults() == []
        there.picture(f"start_{view}")

        page.locator("#start summary").click()
        page.locator("#height").fill("1.7")  # C3D is in millimeters
        job = there.drop(video)
        assert page.locator("#scrub").get_attribute("max") == str(FRAMES - 1)
        result = httpx.get(f"{running.url}/jobs/{job}/result", timeout=60).json()
        page.locator("#show-angles").uncheck()
        for frame in (0, FRAMES // 2, FRAMES - 1):
            there.seek(frame)
            page.locator("#show-points").uncheck()
            page.evaluate("() => { window.dots = []; }")
            page.locator("#show-points").check()
            place, dots = page.evaluate(PICTURE_PLACE), page.evaluate("() => window.dots")
            expected = in_the_window(place, seen_points(result, frame))
            assert len(expected) >= 5
            distance = np.linalg.norm(expected[:, None] - np.asarray(dots)[None], axis=-1)
            assert distance.min(axis=1).max() <= 1
            assert distance.min(axis=0).max() <= 1
            assert min(page.evaluate(OPACITY, expected.tolist())) > 0

        page.locator("#show-angles").check()
        there.seek(FRAMES // 2)
        assert page.locator("#curves canvas").count() >= 3
        assert there.faults() == []
        there.picture(f"result_{view}")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width

        for label, (end, begin) in EXPORTS.items():
            with page.expect_download(timeout=HANGS_MS) as saved:
                page.get_by_role("button", name=label, exact=True).click()
            assert saved.value.suggested_filename == f"run{end}"
            content = saved.value.path().read_bytes()
            assert content.startswith(begin)
            assert len(content) > 500
            if label == "Whole result (JSON)":
                assert len(json.loads(content)["data"]["poses_per_frame"]) == FRAMES

        page.get_by_role("button", name="Make the annotated video").click()
        link = page.locator("#exports").get_by_role("link", name="Annotated video")
        link.wait_for(timeout=HANGS_MS)
        annotated = httpx.get(link.evaluate("(found) => found.href"), timeout=60)
        with av.open(BytesIO(annotated.raise_for_status().content)) as file:
            assert sum(1 for _ in file.decode(video=0)) == FRAMES


@pytest.mark.parametrize(
    ("name", "most"), [("h264", 0), ("vp9", 0), ("open_gop", 1), ("variable", 3)]
)
def test_a_seek_shows_the_frame_that_it_names(browser, running, name, most):
    """Chromium misses frames before a key frame of an open group, and some of uneven times.

    The page then names the frame that is shown instead.
    """
    numbered = corpus.video(name)
    chosen = random.Random(SEEKS)
    with visit(browser, running.url, 1280, "light") as there:
        there.drop(numbered.path)
        assert there.page.locator("#scrub").get_attribute("max") == str(numbered.frame_count - 1)
        missed = []
        for _ in range(SEEKS):
            frame = chosen.randrange(numbered.frame_count)
            there.page.locator("#scrub").fill(str(frame))
            missed.append(abs(agreed_frame(there, numbered) - frame))
        assert max(missed) <= most, missed


def agreed_frame(there, numbered):
    """The frame that is shown, once the page names that one."""
    end = time.monotonic() + 60
    while True:
        rgba = np.array(there.page.evaluate(PIXELS), np.uint8)
        picture = rgba.reshape(numbered.height, numbered.width, 4)[..., :3]
        shown, named = number_of(picture), there.frame()
        sought = not there.page.evaluate("() => document.getElementById('video').seeking")
        if sought and shown == numbered.numbers[named]:
            return named
        assert time.monotonic() < end, f"the page names frame {named}, the picture is {shown}"
        there.page.evaluate(TWO_FRAMES)


def test_steps_get_past_a_frame_that_the_browser_cannot_show(browser, running):
    numbered = corpus.video("variable")
    with visit(browser, running.url, 1280, "light") as there:
        there.drop(numbered.path)
        there.page.keyboard.press("Home")
        for _ in range(numbered.frame_count - 1):
            there.page.keyboard.press("ArrowRight")
            named = agreed_frame(there, numbered)
        assert named == numbered.frame_count - 1


def test_the_keyboard_and_the_curves_move_the_video(browser, running, video):
    with visit(browser, running.url, 1280, "light") as there:
        there.drop(video)
        there.page.locator("#overlay").focus()
        there.page.keyboard.press("Home")
        there.settle(0)
        for key, frame in (("ArrowRight", 1), ("Shift+ArrowRight", 11), ("ArrowLeft", 10)):
            there.page.keyboard.press(key)
            there.settle(frame)
        there.page.keyboard.press("End")
        there.settle(FRAMES - 1)
        plot = there.page.locator("#curves .plot").first
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        plot.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
        there.page.evaluate(TWO_FRAMES)
        clicked = there.frame()
        assert FRAMES // 3 < clicked < FRAMES * 2 // 3
        there.page.locator("#axis").select_option("cycle")
        assert "Thin: each stride or repetition" in there.page.locator("#curves-about").inner_text()
        there.page.locator("#axis").select_option("time")
        there.page.keyboard.press("Escape")
        there.page.locator("#overlay").focus()
        there.page.keyboard.press("Space")
        there.page.wait_for_function(
            "(from) => document.getElementById('scrub').value > from", arg=clicked, timeout=HANGS_MS
        )


@pytest.mark.parametrize("width", [390, 1280])
def test_two_results_go_in_step_from_an_event(browser, running, video, demo_video, tmp_path, width):
    """Two cuts of one video begin with the same frames."""
    longer = first_frames(demo_video, tmp_path / "longer.mp4", FRAMES + 20)
    with visit(browser, running.url, width, "light") as there:
        page = there.page
        there.drop(longer)
        page.get_by_role("button", name="New video").click()
        there.drop(video)
        page.locator("#compare").select_option(index=1)
        page.locator("#other").wait_for(timeout=HANGS_MS)
        page.locator("#sync").select_option("start")
        for frame in (5, 40):
            there.seek(frame)
            page.wait_for_function(OTHER_AT, arg=frame, timeout=HANGS_MS)
        assert page.get_by_role("heading", name="Compared").is_visible()
        assert page.locator(".card", has_text="Compared").locator("tbody tr").count() == 8
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert there.faults() == []
        there.picture(f"two_{width}_light")
        page.locator("#compare").select_option(index=0)
        assert not page.locator("#other").is_visible()


def test_the_description_works_without_another_host(browser, running):
    with visit(browser, running.url, 1280, "light", "docs") as there:
        page = there.page
        page.locator("#operations-health-livez").wait_for(timeout=HANGS_MS)
        assert page.locator(".opblock").count() >= 15
        there.picture("docs_1280_light")
        page.locator("#operations-health-livez .opblock-summary-control").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table .response-col_status", has_text="200").wait_for()
    assert f"{running.url}/livez" in there.asked
