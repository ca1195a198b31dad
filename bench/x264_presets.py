"""Compare x264's presets on a video: python -m bench.x264_presets [VIDEO]

The first four seconds of the video through the service's own encoder, nothing drawn on them:
processor time and bytes a frame, and how far the picture is from the one that went in.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import av
import numpy as np

from bench.harness import CONSOLE, in_words, machine, save, shared, table
from biomech.joints import JOINT_ANGLES
from biomech.skeleton import KEYPOINTS
from deployments.annotated_video import EncodeOptions, Overlay
from deployments.decode.probe import probe
from deployments.decode.segments import split
from deployments.media.picture import Picture
from deployments.media.reader import read
from deployments.messages import U8, Segment
from deployments.render.encode import encode_segment
from deployments.render.render import frame_rate
from serve_app.settings import load_settings

SECONDS = 4.0
CHOICES = [
    EncodeOptions(preset, crf)
    for preset in ("veryfast", "superfast", "ultrafast")
    for crf in (23, 25, 26)
]


def measure(pictures: list[Picture], segment: Segment, options: EncodeOptions) -> dict[str, Any]:
    """Processor milliseconds and bytes a frame, and the luma's peak signal-to-noise ratio, dB."""
    overlay = _nothing(len(pictures))
    rate = frame_rate(segment.path)
    with TemporaryDirectory() as folder:
        began = time.process_time()
        done = encode_segment(iter(pictures), segment, overlay, Path(folder), options, rate)
        cpu_s = time.process_time() - began
        size = Path(done.path).stat().st_size
        with av.open(done.path) as container:
            missed = [
                np.mean((_luma(frame, picture.size).astype(float) - picture.y) ** 2)
                for frame, picture in zip(container.decode(video=0), pictures, strict=True)
            ]
    return {
        "preset": options.preset,
        "crf": options.crf,
        "cpu_ms": 1000 * cpu_s / len(pictures),
        "kilobytes": size / 1000 / len(pictures),
        "psnr_db": 10 * np.log10(255**2 / np.mean(missed)),
    }


def _luma(frame: av.VideoFrame, size: tuple[int, int]) -> U8:
    """(h, w) of a picture of 4:2:0, less the row and the column that an odd one has gained."""
    return cast(U8, frame.to_ndarray())[: size[1], : size[0]]


def _nothing(frames: int) -> Overlay:
    return Overlay(
        keypoints=np.empty((frames, 0, len(KEYPOINTS), 2), np.float32),
        score=np.empty((frames, 0, len(KEYPOINTS)), np.float32),
        box=np.empty((frames, 0, 4), np.float32),
        track_id=np.empty(0, np.int32),
        angles_deg=np.full((frames, len(JOINT_ANGLES)), np.nan),
        min_score=0.3,
    )


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", nargs="?", type=Path, help="default: sports2d_demo.mp4 of shared/")
    given = parser.parse_args()
    data = shared()
    video = given.video or (data and data / "videos" / "sports2d_demo.mp4")
    if video is None:
        parser.error("no video was given, and the videos of shared/ are not here")
    media = probe(video, load_settings({}).media_limits)
    segment = split(media, 1, SECONDS)[0]
    pictures = [p for p in read(segment) if p.index < len(segment.pts)]
    facts = machine()
    CONSOLE.print(in_words(facts))
    rows = [measure(pictures, segment, options) for options in CHOICES]
    table(
        f"{video.name}, {segment.width} x {segment.height}, {len(pictures)} frames",
        ("preset", "crf", "CPU ms a frame", "kB a frame", "PSNR, dB"),
        [
            (
                row["preset"],
                row["crf"],
                f"{row['cpu_ms']:.1f}",
                f"{row['kilobytes']:.1f}",
                f"{row['psnr_db']:.2f}",
            )
            for row in rows
        ],
    )
    save("encode", {"machine": facts, "video": video.name, "rows": rows})


if __name__ == "__main__":
    main()
