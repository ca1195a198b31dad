"""Check that packets of H.264 and HEVC have the structure that a container's index states."""

from collections.abc import Callable

from av.video.stream import VideoStream

_LENGTH_AT = {"h264": 4, "hevc": 21}  # byte of avcC and hvcC that has the length's length


def structure_check(stream: VideoStream) -> Callable[[memoryview], bool] | None:
    """Return a check that a packet is a sequence of whole NAL units; None if not applicable.

    In MP4 and Matroska each unit follows its length (ISO/IEC 14496-15). A decoder silently ignores
    a unit with a corrupt length.
    """
    at = _LENGTH_AT.get(stream.codec.canonical_name)
    head = stream.codec_context.extradata or b""
    if at is None or len(head) <= at or head[0] != 1:
        return None
    size = (head[at] & 3) + 1

    def is_whole(data: memoryview) -> bool:
        position = 0
        while position + size < len(data):
            length = int.from_bytes(data[position : position + size], "big")
            position += size
            if not length or data[position] & 0x80:  # forbidden_zero_bit
                return False
            position += length
        return position == len(data)

    return is_whole
