"""The demonstration video: Sports2D's, as its wheel has it (D. Pagnon, BSD-3-Clause)."""

from pathlib import Path
from typing import Final

from deployments.pose.sources import Asset, WheelMember
from serve_app.settings import ROOT

DEMO_VIDEO: Final = Asset(
    name="demonstration video",
    file_name="sports2d_demo.mp4",
    sha256="d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039",
    sources=(
        WheelMember(
            requirement="sports2d==0.8.34",
            sha256="733b6db70742636ae9c35d870c22bd416582f579abd5881bee93a14bb0e2655d",
            members=("Sports2D/Demo/demo.mp4",),
        ),
    ),
)


def demo_video_folders(root: Path = ROOT) -> tuple[Path, ...]:
    """Return the folders that may have the video; the first is where it is downloaded to."""
    return root / "videos", root / "shared" / "videos", root.parent / "shared" / "videos"


def find_demo_video(root: Path = ROOT) -> Path | None:
    """Return the demonstration video of this machine, or None if it is to be downloaded."""
    places = [folder / DEMO_VIDEO.file_name for folder in demo_video_folders(root)]
    return next((place for place in places if place.is_file()), None)
