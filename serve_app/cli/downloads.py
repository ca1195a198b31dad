"""Download files, and the models of a role, with progress on stderr."""

from dataclasses import dataclass
from pathlib import Path

from deployments.errors import DownloadError, ModelError
from deployments.pose.download import download
from deployments.pose.loading import ModelChoice
from deployments.pose.registry import ModelEntry
from deployments.pose.sources import Asset
from deployments.pose.weights import SUBFOLDER, find_weights, verify
from serve_app.cli.progress_bar import STDERR, progress_of
from serve_app.demo_video import DEMO_VIDEO, demo_video_folders, find_demo_video
from serve_app.settings import ROOT, Settings

DEMO_CONNECT_S = 5.0
"""Seconds that `demo` waits for a server that sends nothing."""


def weights_folder(settings: Settings) -> Path:
    """Return the folder that models are downloaded to."""
    return settings.weights_dir or ROOT / "weights" / SUBFOLDER


@dataclass(frozen=True, slots=True)
class Downloads:
    """Download with the mirrors and time limit of the settings.

    Attributes:
        mirrors: base addresses that are tried after the publisher's.
        connect_s: seconds to wait for a server that sends nothing; None for the usual time.
    """

    mirrors: tuple[str, ...]
    connect_s: float | None = None

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
        STDERR.print(f"{asset.name}: {path}")
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
                STDERR.print(f"{entry.name}: {path}")
                return True
            if self.tried(entry.asset, folder):
                return True
        return not choice.entries

    def demo_video(self) -> Path | None:
        """Find or fetch the demonstration video; on failure print the reason and return None."""
        return find_demo_video() or self.tried(DEMO_VIDEO, demo_video_folders()[0])


def _intact(entry: ModelEntry, search: tuple[Path, ...]) -> Path | None:
    if not search:
        return None
    try:
        path = find_weights(entry, search)
        verify(entry, path)
    except ModelError:
        return None
    return path
