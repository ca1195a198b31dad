"""Define a request's options on its media, and the part of a file that they choose."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # clients of the service may lack it
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MediaOptions:
    """Options of a request on how its media file is read; the defaults change nothing.

    Attributes:
        start_s, end_s: seconds after the first picture of the file; a picture at ``start_s`` is in
            the part, one at ``end_s`` is not. None for the start or end of the file.
        max_fps: frames a second above which pictures are dropped evenly; None for all.
        rotation_deg: clockwise turn that makes the stored picture upright, instead of the one that
            the file declares: 0, 90, 180 or 270.
    """

    start_s: float | None = None
    end_s: float | None = None
    max_fps: float | None = None
    rotation_deg: int | None = None

    @property
    def cuts(self) -> bool:
        """Return whether a part of the file is chosen by its times."""
        return self.start_s is not None or self.end_s is not None


AS_IT_IS = MediaOptions()
"""Every picture of a file, turned as the file says."""


@dataclass(frozen=True, slots=True)
class Region:
    """Rectangle of the upright picture, pixels; ``x`` and ``y`` are even, as 4:2:0 requires."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class MediaPart:
    """Pictures of a file that are analyzed, where these are not all.

    Attributes:
        numbers: (frames,) position in the file of each, ascending.
        origin_pts: tick of the file's first picture, at which time is 0.
        end_pts: tick at which the part ends; None at the end of the file.
        max_fps: frames a second to which pictures were dropped, or None.
        file_frames: number of pictures of the file. file_duration_s: its duration.
    """

    numbers: "NDArray[np.int64]"
    origin_pts: int
    end_pts: int | None
    max_fps: float | None
    file_frames: int
    file_duration_s: float
