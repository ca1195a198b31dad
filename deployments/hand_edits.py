"""Define corrections by hand to the people of a clip."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from biomech.events.event_edits import EventEdits


@dataclass(frozen=True, slots=True)
class HandEdits:
    """Corrections by hand; rows are those of the clip, see ``ClipPoses``.

    Attributes:
        xy: (n,17,2) image pixels of points that were placed, NaN for others.
        hidden: (n,17) points that were marked as hidden.
        events: corrections of events by the number of the person, in frames of the clip.
    """

    xy: NDArray[np.float32]
    hidden: NDArray[np.bool_]
    events: Mapping[int, EventEdits] = field(default_factory=dict)
