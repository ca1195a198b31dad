"""Build the marker points of one person of a saved result, for OpenSim and C3D."""

from typing import Final

from biomech.files.markers import Markers
from biomech.files.markers import markers_of as markers_of_points
from biomech.files.uniform_timebase import UniformTimebase
from biomech.preprocessing.preprocess import preprocess
from serve_app.export.saved_clip import SavedPerson, SavedResult

SCALE_DRIFT: Final = "scale_drift"


def markers_of(result: SavedResult, person: SavedPerson, height_m: float | None = None) -> Markers:
    """Return the points of ``person``, cleaned, smoothed and filled as the analysis did it.

    Args:
        result: that the person is of.
        height_m: stature in metres; that of the result by default.

    Raises:
        FileError: a single picture, or times too uneven for a constant rate.
    """
    even = UniformTimebase.of(result.times_s)
    config = result.config(person)
    points = preprocess(result.track(person), config, person.roll_deg)
    height = person.height_m if height_m is None else height_m
    scale = None
    if height is not None and person.stature_px is not None and SCALE_DRIFT not in person.flags:
        scale = height / person.stature_px
    return markers_of_points(points, even, config.max_gap_s, person.roll_deg, scale)
