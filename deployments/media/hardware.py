"""Decoders and encoders of an NVIDIA GPU, where this process sees one.

Ray hides a node's GPUs from no replica whose ``num_gpus`` is 0: ``CUDA_VISIBLE_DEVICES`` does.
"""

from fractions import Fraction
from functools import cache

import av
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext


@cache
def decoder() -> HWAccel | None:
    """NVDEC, for ``av.open``; None where there is none.

    Streams of a kind that it does not know are decoded by software all the same.
    """
    # PyTorch's context, where it has one: another takes hundreds of MiB of the GPU.
    device = HWAccel("cuda", allow_software_fallback=True, options={"primary_ctx": "1"})
    try:
        device.create(av.Codec("h264", "r"))
    except (av.error.FFmpegError, NotImplementedError):
        return None
    return device


@cache
def has_encoder() -> bool:
    """Return whether NVENC encodes H.264 here; some data center GPUs lack it."""
    try:
        context = av.CodecContext.create("h264_nvenc", "w")
        assert isinstance(context, VideoCodecContext)  # noqa: S101  for mypy
        context.width, context.height, context.pix_fmt = 256, 256, "yuv420p"
        context.time_base = Fraction(1, 25)
        context.open()
    except (av.error.FFmpegError, ValueError):  # ValueError: FFmpeg was built without it
        return False
    return True
