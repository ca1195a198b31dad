"""Download files, and the models of a role, with progress on stderr."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deployments.errors import DownloadError, ModelError
from deployments.pose.download import download
from deployments.pose.loading import ModelChoice
from deployments.pose.registry import ModelEntry
from deployments.pose.sources import Asset, WheelMember
from deployments.pose.weights import SUBFOLDER, find_weights, verify
from serve_app.cli.progress_bar import STDERR, progress_of
from serve_app.setting_types import ROOT
from serve_app.settings import Settings

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
"""Sports2D's, as its wheel has it (D. Pagnon, BSD-3-Clause)."""

DEMO_CONNECT_S = 5.0
"""Seconds that `demo` waits for a server that sends nothing."""


def demo_video_folders(root: Path = ROOT) -> tuple[Path, ...]:
    """Return the folders that may have the video; the first is where it is downloaded to."""
    return root / "videos", root / "shared" / "videos", root.parent / "shared" / "videos"


def find_demo_video(root: Path = ROOT) -> Path | None:
    """Return the demonstration video of this machine, or None if it is to be downloaded."""
    places = [folder / DEMO_VIDEO.file_name for folder in demo_video_folders(root)]
    return next((place for place in places if place.is_file()), None)


def weights_folder(settings: Settings) -> Path:
    """Return the folder that models are downloaded to."""
    return settings.weights_dir or ROOT / "weights" / SUBFOLDER


@dataclass(frozen=True, slots=True)
class Downloads:
    """Download with the mirrors and time limit of the settings.

    Attributes:
        mirrors: base addresses that are tried after the publisher's.
        connect_s: seconds to wait for a server that sends nothing; None for the usual time.
        found: paths of what was fetched or was there, by name.
    """

    mirrors: tuple[str, ...]
    connect_s: float | None = None
    found: dict[str, Path] = field(default_factory=dict)

    def get(self, asset: Asset, folder: Path) -> Path:
        """Fetch ``asset`` into ``folder``, unless it is there.

        Raises:
            DownloadError: every source failed.
        """
        with progress_of(asset.name) as report:
            path = download(
                asset,
                folder,
                lambda done, total: report("fetch", done, total or done),
                mirrors=self.mirrors,
                connect_s=self.connect_s,
            )
        self._have(asset.name, path)
        return path

    def tried(self, asset: Asset, folder: Path) -> Path | None:
        """Fetch ``asset``; on failure print the reason and return None."""
        try:
            return self.get(asset, folder)
        except DownloadError as error:
            STDERR.print(f"{error.detail}\n  {error.hint}", style="yellow")
            return None

    def have(self, choice: ModelChoice, folder: Path, search: tuple[Path, ...]) -> bool:
        """Get the first model of a role that is in ``search`` or can be fetched.

        Returns:
            True if a model is available, or none is needed.
        """
        for entry in choice.entries:
            if path := _intact(entry, search):
                self._have(entry.name, path)
                return True
            if self.tried(entry.asset, folder):
                return True
        return not choice.entries

    def demo_video(self) -> Path | None:
        """Find or fetch the demonstration video; on failure print the reason and return None."""
        path = find_demo_video()
        if path is None:
            return self.tried(DEMO_VIDEO, demo_video_folders()[0])
        self.found[DEMO_VIDEO.name] = path
        return path

    def _have(self, name: str, path: Path) -> None:
        STDERR.print(f"{name}: {path}")
        self.found[name] = path


def _intact(entry: ModelEntry, search: tuple[Path, ...]) -> Path | None:
    if not search:
        return None
    try:
        path = find_weights(entry, search)
        verify(entry, path)
    except ModelError:
        return None
    return path
