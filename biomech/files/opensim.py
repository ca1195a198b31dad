"""Write OpenSim's text formats: `.trc` for points, `.mot` for angles.

Both as OpenSim 4 reads them: tabs, one rate, blank for a point that is missing, NaN for an angle.
Its reader drops what follows the last tab of a line if that is blank, so lines of a `.trc` end with
a tab, as those that it writes itself do.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

import numpy as np

from biomech.files import FileError, Profile
from biomech.files.markers import MARKERS, Markers
from biomech.files.uniform_timebase import UniformTimebase
from biomech.joints import JOINTS
from biomech.kinematics.geometry import Array
from biomech.skeleton import SIDES

_DECIMALS: Final = {True: 6, False: 3}  # of metres, of pixels
_ALL_PLANES: Final = "the result has no signed angle: it shows neither one side nor the front"


def trc(markers: Markers, name: str) -> Iterator[str]:
    """Yield the lines of a `.trc` file, from where the person is first seen to where last.

    Args:
        markers: metres, y up, or pixels, y down. name: of the file, for its first line.

    Raises:
        FileError: there is no point at all.
    """
    count, seen = len(MARKERS), _span(markers.xy[..., 0])
    times, xy = markers.even.times_s[seen], markers.xy[seen]
    rate, frames = _number(markers.even.rate_hz), len(times)
    header = (
        ("PathFileType", "4", "(X/Y/Z)", name),
        *_HEADER,
        (rate, rate, frames, count, "m" if markers.metres else "px", rate, 1, frames),
        ("Frame#", "Time", *(cell for marker in MARKERS for cell in (marker, "", ""))),
        ("", "", *(f"{axis}{i}" for i in range(1, count + 1) for axis in "XYZ")),
    )
    lines = ["\t".join(map(str, line)) for line in header[:3]]
    lines += ["\t".join(line) + "\t" for line in header[3:]]
    return _ended(lines, [""], _trc_rows(times, xy, _DECIMALS[markers.metres]))


def _ended(*lines: Iterable[str]) -> Iterator[str]:
    return (f"{line}\n" for line in chain.from_iterable(lines))


_HEADER: Final = (
    (
        "DataRate",
        "CameraRate",
        "NumFrames",
        "NumMarkers",
        "Units",
        "OrigDataRate",
        "OrigDataStartFrame",
        "OrigNumFrames",
    ),
)


def _trc_rows(times_s: Array, xy: Array, decimals: int) -> Iterator[str]:
    for number, (time, points) in enumerate(zip(times_s.tolist(), xy.tolist(), strict=True), 1):
        cells = [str(number), _number(time)]
        for x, y in points:
            known = np.isfinite(x)
            cells += [_number(x, decimals), _number(y, decimals), "0.0"] if known else [""] * 3
        yield "\t".join(cells) + "\t"


def mot(
    even: UniformTimebase,
    signed: Mapping[str, Array],
    max_gap_s: float,
    profile: Profile = "2d",
    with_hip: bool = False,
) -> Iterator[str]:
    """Yield the lines of a `.mot` file, from the first known angle to the last.

    Args:
        even: times of the file. signed: (f,) degrees by name, NaN where not known.
        max_gap_s: frames further apart are not joined.
        profile: ``2d`` has every signed angle that is known under our name with ``_2d``;
            ``opensim`` those that OpenSim has a coordinate for, under its name.
        with_hip: ``opensim`` has the hips too. Ours are between trunk and thigh, OpenSim's between
            pelvis and thigh.

    Raises:
        FileError: no such angle is known.
    """
    wanted = _columns(signed, profile, with_hip)
    columns = {column: signed[name] for name, column in wanted.items()}
    angles = even.resampled_angles(columns, max_gap_s)
    values = np.column_stack(list(angles.values()))
    table = np.column_stack([even.times_s, values])[_span(values)]
    header = (
        "Coordinates",
        "version=1",
        f"nRows={len(table)}",
        f"nColumns={table.shape[1]}",
        "inDegrees=yes",
        "",
        "Angles of the picture's plane from one camera; flexion is positive.",
        "endheader",
        "\t".join(["time", *angles]),
    )
    return _ended(header, _mot_rows(table))


def _coordinates(alike: bool) -> dict[str, str]:
    """Return OpenSim's names of the flexions it defines as we do, or of those it does not.

    Both are positive in flexion.
    """
    return {
        f"{side}_{joint.name}_flexion": f"{joint.opensim}_{side[0]}"
        for side in reversed(SIDES)
        for joint in JOINTS
        if joint.opensim and joint.opensim_alike is alike
    }


def _columns(signed: Mapping[str, Array], profile: Profile, with_hip: bool) -> dict[str, str]:
    """Return the names of columns by names of angles."""
    known = [name for name, values in signed.items() if np.isfinite(values).any()]
    if not known:
        raise FileError(_ALL_PLANES, hint="Film from the side or from the front.")
    if profile == "2d":
        return {name: f"{name}_2d" for name in known}
    theirs = _coordinates(alike=True) | (_coordinates(alike=False) if with_hip else {})
    found = {name: column for name, column in theirs.items() if name in known}
    if not found:
        raise FileError(
            "the result has no flexion with a sign: the athlete is not seen from the side",
            hint="Film from the side, or take the profile 2d.",
        )
    return found


def _mot_rows(table: Array) -> Iterator[str]:
    for row in table.tolist():
        yield "\t".join(_number(value) if np.isfinite(value) else "NaN" for value in row)


def _span(values: Array) -> slice:
    """Return the rows (g,) from the first that has any of (g, k) values to the last.

    Raises:
        FileError: there is none.
    """
    there = np.flatnonzero(np.isfinite(values).any(-1))
    if not len(there):
        raise FileError(
            "nothing of this person is measured for long enough", hint="Film longer, or nearer."
        )
    return slice(int(there[0]), int(there[-1]) + 1)


def _number(value: float, decimals: int = 6) -> str:
    return repr(round(value, decimals) + 0.0)
