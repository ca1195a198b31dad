"""Frames of a video as arrays."""

import av


def frames(path, indices):
    """Decode the frames of these ascending indices, (h, w, 3) uint8 BGR."""
    wanted, found = set(indices), []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                found.append(frame.to_ndarray(format="bgr24"))
                if len(found) == len(wanted):
                    return found
    raise AssertionError(f"{path} has only {index + 1} frames")
