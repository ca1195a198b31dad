"""Opening a media file that may be hostile.

The demuxer is chosen by the first bytes of the file, never by its name, and given to FFmpeg
explicitly; playlists and other formats that can name further files or addresses are therefore
never parsed. Only local paths are opened.
"""

import os
from pathlib import Path

import av
from av.container import InputContainer

from deployments.errors import NotAVideoError, TruncatedError
from deployments.media.structure import has_box, sniff

_DEMUXER_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": "mov,matroska,webm,avi"}
# FFmpeg decodes a little to find out what a stream is: no picture larger than this.
_MOST_PIXELS = 8192 * 8192


def open_media(path: str | os.PathLike[str]) -> InputContainer:
    """Open a local media file for reading; the caller closes it.

    Raises:
        NotAVideoError: not in an allowed container format, or damaged beyond opening.
        TruncatedError: an MP4 whose index (moov) is missing.
    """
    demuxer = sniff(path)
    try:
        return av.open(
            os.fspath(Path(path).resolve()),
            format=demuxer,
            options={"max_pixels": str(_MOST_PIXELS)},
            container_options=_DEMUXER_OPTIONS,
            metadata_errors="replace",
        )
    except av.error.InvalidDataError as error:
        if demuxer == "mov" and not has_box(Path(path), b"moov"):
            raise TruncatedError("the file has no index (moov): it was cut short") from error
        raise NotAVideoError(f"the {demuxer} file cannot be read: {error.strerror}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise NotAVideoError(f"the {demuxer} file cannot be read: {error}") from error
