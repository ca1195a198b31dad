"""Find and verify checkpoint files."""

from collections.abc import Sequence
from pathlib import Path

from deployments.errors import WeightsCorruptError, WeightsMissingError
from deployments.file_digest import sha256_of
from deployments.pose.registry import ModelEntry

# Checkpoints of the specification's layout lie in a folder of this name.
SUBFOLDER = "mmpose"


def default_search(root: Path, weights_dir: Path | None) -> tuple[Path, ...]:
    """Return the folders to search, in order.

    Args:
        root: of the checkout, which has ``weights/``, and ``shared/weights`` in it or next to it.
        weights_dir: ``$MMPOSE_WEIGHTS_DIR``, searched first.
    """
    beside = (root / "weights", root / "shared" / "weights", root.parent / "shared" / "weights")
    return (*((weights_dir,) if weights_dir else ()), *beside)


def find_weights(entry: ModelEntry, search: Sequence[Path]) -> Path:
    """Find the checkpoint file of ``entry``.

    An absolute configured path comes first, then by file name each folder and its ``mmpose``
    subfolder. A relative configured path is relative to each folder.

    Raises:
        WeightsMissingError: it is in none of them, which it names in private; says what gets it.
    """
    configured = Path(entry.checkpoint)
    places = [configured] if configured.is_absolute() else [f / configured for f in search]
    for folder in search:
        places += [folder / configured.name, folder / SUBFOLDER / configured.name]
    for place in places:
        if place.is_file():
            return place
    searched = ", ".join(dict.fromkeys(str(place.parent) for place in places))
    raise WeightsMissingError(
        f"{entry.name}: {configured.name} is in none of the folders searched",
        hint=(
            f"mmpose-service models download {entry.key}"
            if entry.sources
            else f"Put {configured.name} into one of them; `mmpose-service check` names them."
        ),
        private=f"searched: {searched}",
        file=configured.name,
    )


def verify(entry: ModelEntry, path: Path) -> str:
    """Return the digest of ``path``, which must begin with the registry's, where that has one.

    Raises:
        WeightsCorruptError: it does not, or the file cannot be read.
    """
    try:
        found = sha256_of(path)
    except OSError as error:
        raise WeightsCorruptError(
            f"{path.name} cannot be read: {error.strerror}",
            hint="Let the user that the service runs as read it.",
            private=str(path),
            file=path.name,
        ) from error
    if entry.sha256 and not found.startswith(entry.sha256):
        again = (
            f"Delete it, then mmpose-service models download {entry.key}. " if entry.sources else ""
        )
        raise WeightsCorruptError(
            f"{path.name} is damaged or another file: its sha256 is {found}, "
            f"that of {entry.name} is {entry.sha256}",
            hint=f"{again}If it is the right file, set models.{entry.key}.sha256 in the registry.",
            private=str(path),
            file=path.name,
        )
    return found
