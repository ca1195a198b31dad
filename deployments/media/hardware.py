"""Find the decoder and encoder of an NVIDIA GPU visible to this process.

Ray does not hide GPUs from replicas with ``num_gpus`` 0; use ``CUDA_VISIBLE_DEVICES`` for that.
"""

from fractions import Fraction
from functools import cache

import av
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext


@cache
def decoder() -> HWAccel | None:
    """Return NVDEC for ``av.open``, or None.

    Unsupported streams are still decoded in software.
    """
    # Use PyTorch's context if it has one: another takes hundreds of MiB of the GPU.
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
