"""List what is unusual about a media file, for the response."""

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from deployments.decode.media_options import VARIABLE, is_variable
from deployments.decode.orientation import Orientation
from deployments.media.picture import is_hdr
from deployments.media.reader import video_tracks
from deployments.messages import I64


def warnings_of_file(
    container: InputContainer, stream: VideoStream, *, pictures: int, counted: bool, repeated: int
) -> list[tuple[str, str]]:
    """List what is unusual in the tracks of a file, and in its time stamps.

    Args:
        pictures: their number. counted: see :class:`deployments.messages.MediaInfo`.
        repeated: pictures with the time stamp of the one before.
    """
    found = []
    if (count := len(video_tracks(container))) > 1:
        context = stream.codec_context
        size = f"{context.width}x{context.height} {stream.codec.canonical_name}"
        found.append(
            (
                "video_track_chosen",
                f"the file has {count} video tracks; number {stream.index} ({size}) was analyzed",
            )
        )
    if counted:
        found.append(
            (
                "time_stamps_repaired",
                "the file's time stamps step back or repeat; they were put in the order in which "
                "pictures are shown",
            )
        )
    if repeated:
        found.append(
            (
                "duplicate_times",
                f"{repeated} of {pictures} pictures have the time stamp of the one "
                "before; they were spread evenly, so speeds and durations can be wrong",
            )
        )
    return found


def warnings_of_pictures(
    pts: I64, first: av.VideoFrame, shown: Orientation, square: tuple[int, int]
) -> tuple[tuple[str, str], ...]:
    """List how pictures are made upright, whole, square and 8-bit, and whether times are uneven.

    Args:
        first: the first picture. square: its (width, height) with square pixels.
    """
    found = []
    if is_variable(pts):
        found.append(VARIABLE)
    if first.interlaced_frame:
        found.append(
            ("deinterlaced", "pictures are interlaced; each was made whole (bwdif) at its own time")
        )
    if shown.ignored_deg:
        found.append(
            ("rotation_ignored", f"a rotation of {shown.ignored_deg:.0f} degrees was not applied")
        )
    if shown.mirrored:
        found.append(("mirror_ignored", "the picture is not mirrored as the file asks for"))
    if square != (first.width, first.height):
        found.append(
            ("square_pixels", f"{first.width}x{first.height} was scaled to {square[0]}x{square[1]}")
        )
    if is_hdr(first):
        found.append(("hdr_converted", "HDR was converted to 8-bit BT.709"))
    elif first.format.components[0].bits > 8:
        found.append(("converted_to_8_bit", f"{first.format.name} was converted to 8-bit BT.709"))
    return tuple(found)
