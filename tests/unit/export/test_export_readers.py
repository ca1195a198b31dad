"""Exports by the programs that they are for: OpenSim's own package, and ezc3d."""

from dataclasses import dataclass

import numpy as np
import pytest

from biomech.files.markers import MARKERS
from biomech.files.uniform_timebase import UniformTimebase
from biomech.skeleton import INDEX
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from tests.support.saved_results import RATE, height_of, saved, squatting
from tests.support.stick_figure import without

LENGTH_S, HEIGHT_M = 3.0, 1.8
RATES = {  # frames a second, and in decimals
    "29.97": (30_000 / 1001, 29.97003),
    "30": (30, 30.0),
    "59.94": (60_000 / 1001, 59.94006),
    "60": (60, 60.0),
    "120": (120, 120.0),
    "240": (240, 240.0),
    "odd": (41.7, 41.7),
}


@dataclass(frozen=True)
class Clip:
    """Squats at a rate, by someone whose left wrist is never seen."""

    hz: float
    decimals: float

    @property
    def times_s(self):
        return np.arange(round(LENGTH_S * self.hz)) / self.hz

    @property
    def xy(self):
        return squatting(self.times_s * RATE)

    @property
    def middle(self):
        """Frames that are not near an end, which the filter rounds a little."""
        return (self.times_s > 0.5) & (self.times_s < LENGTH_S - 0.5)

    def wanted(self, found):
        """(m, 2) of the right knee in the middle, y up, at the scale of ``found`` (f, 2)."""
        hip = self.xy[0, [INDEX["left_hip"], INDEX["right_hip"]]].mean(0)
        floor = self.xy[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 1].max()
        knee = (self.xy[:, INDEX["right_knee"]] - [hip[0], floor])[self.middle] * [1, -1]
        return knee * (found[self.middle] * knee).sum() / (knee**2).sum()


@pytest.fixture(params=RATES)
def clip(request):
    return Clip(*RATES[request.param])


@pytest.fixture
def written(clip, tmp_path):
    """Write the clip in a format, and give the file's path."""
    xy = without(clip.xy, "left_wrist")
    body = saved(xy, times_s=clip.times_s, context=height_of(HEIGHT_M))

    def write(kind):
        made = export(read_result(body), kind, ExportOptions())
        path = tmp_path / f"result{made.suffix}"
        path.write_bytes(b"".join(made.pieces))
        return str(path)

    return write


@pytest.fixture
def opensim():
    package = pytest.importorskip(
        "opensim", reason="OpenSim's package is none of the pins: pip install opensim==4.6"
    )
    package.Logger.setLevelString("off")
    return package


def column(table, name):
    found = table.getDependentColumn(name)
    return [found[i] for i in range(table.getNumRows())]


def test_opensim_reads_points_in_metres_at_the_rate(opensim, written, clip):
    path = written("trc")
    table = opensim.TimeSeriesTableVec3(path)
    assert float(table.getTableMetaDataString("DataRate")) == clip.decimals
    assert table.getTableMetaDataString("Units") == "m"
    assert table.getColumnLabels() == MARKERS
    assert np.array(table.getIndependentColumn()) == pytest.approx(clip.times_s, abs=2e-6)
    knee, nose, ankle, wrist = (
        np.array([point.to_numpy() for point in column(table, name)])
        for name in ("RKnee", "Nose", "RAnkle", "LWrist")
    )
    assert knee[clip.middle, :2] == pytest.approx(clip.wanted(knee[:, :2]), abs=0.005)
    assert (knee[:, 2] == 0).all()
    assert 0.7 * HEIGHT_M < nose[0, 1] - ankle[0, 1] < HEIGHT_M
    assert np.isnan(wrist).all()

    markers = opensim.MarkerData(path)  # the reader of its inverse kinematics
    assert (markers.getUnits().getLabel(), markers.getDataRate()) == ("meters", clip.decimals)
    assert markers.getNumFrames() == len(clip.times_s)


def test_opensim_reads_angles_in_degrees_at_the_times(opensim, written, clip):
    path = written("mot")
    table, storage = opensim.TimeSeriesTable(path), opensim.Storage(path)
    assert table.getTableMetaDataString("inDegrees") == "yes"
    assert storage.isInDegrees()
    assert storage.getSize() == len(clip.times_s)
    assert np.array(table.getIndependentColumn()) == pytest.approx(clip.times_s, abs=2e-6)
    assert "left_elbow_flexion_2d" not in table.getColumnLabels()
    knee = np.array(column(table, "right_knee_flexion_2d"))
    depth = 0.5 - 0.5 * np.cos(2 * np.pi * clip.times_s * RATE / 45)
    assert knee[clip.middle] == pytest.approx((10 + 90 * depth)[clip.middle], abs=2.5)


def test_ezc3d_reads_points_in_millimetres_at_the_rate(written, clip):
    ezc3d = pytest.importorskip("ezc3d", reason="ezc3d has no wheel for Linux on ARM64")
    file = ezc3d.c3d(written("c3d"))
    point = file["parameters"]["POINT"]
    assert point["RATE"]["value"] == [np.float32(clip.decimals)]  # as the format has it
    assert file["header"]["points"]["frame_rate"] == np.float32(clip.decimals)
    assert point["UNITS"]["value"] == ["mm"]
    assert tuple(point["LABELS"]["value"]) == MARKERS
    points = file["data"]["points"]
    assert points.shape == (4, len(MARKERS), len(clip.times_s))
    knee, nose, ankle = (points[:2, MARKERS.index(n)].T for n in ("RKnee", "Nose", "RAnkle"))
    assert knee[clip.middle] == pytest.approx(clip.wanted(knee), abs=5)
    assert 700 * HEIGHT_M < nose[0, 1] - ankle[0, 1] < 1000 * HEIGHT_M
    residuals = file["data"]["meta_points"]["residuals"][0]
    assert (residuals[MARKERS.index("LWrist")] == -1).all()


@pytest.mark.parametrize("tick_s", [1e-6, 1e-3], ids=["as results have times", "as WebM has them"])
@pytest.mark.parametrize("frames", [90, 900, 100_000])
def test_a_rate_is_the_one_that_times_were_rounded_from(clip, tick_s, frames):
    times = np.round(np.round(np.arange(frames) / clip.hz / tick_s) * tick_s, 6)
    even = UniformTimebase.of(times)
    assert even.exact
    assert len(even.times_s) == frames
    assert even.rate_hz == clip.decimals
