"""Store annotated videos in a local folder that the service serves, or in a bucket.

A key is derived from the request, so that storing again after a crash gives one video at one
address. Nothing is written in place: a reader sees the complete video or none.
"""

import base64
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from deployments.annotated_video import StoredVideo
from deployments.errors import ConfigurationError, StorageError
from deployments.fetch.media_source import gcs_client
from deployments.file_digest import sha256_of
from deployments.render.object_names import NAME, OWNER, check_key, object_name
from deployments.render.s3_storage import WEEK_S, S3VideoStore

if TYPE_CHECKING:
    from google.cloud.storage import Client

_PARTIAL = ".part-"
_COPIED_S = 600.0
"""Age in seconds beyond which a partial copy was left by a killed process."""
_BUCKET_TARGET = re.compile(
    r"(?P<scheme>gs|s3)://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(?P<prefix>[^\x00-\x1f\\]*))?"
)


class VideoStore(Protocol):
    """Store of finished videos that returns their addresses."""

    def put(self, path: Path, key: str) -> StoredVideo:
        """Store a copy of the file ``path`` under ``key``: ``name`` or ``owner/name``.

        Raises:
            BadParameterError: ``key`` is neither.
            StorageError: it could not be stored.
        """
        ...

    def address(self, key: str) -> str:
        """Return the address of the video of ``key``, which may be signed for a while.

        Raises:
            BadParameterError: ``key`` is not a plain file name.
            StorageError: it could not be signed.
        """
        ...

    def remove(self, key: str) -> None:
        """Delete the video of ``key``, if there is one.

        Raises:
            BadParameterError: ``key`` is not a plain file name.
            StorageError: it could not be deleted.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Store in a folder whose files are served under ``public_url``."""

    folder: Path
    public_url: str

    def put(self, path: Path, key: str) -> StoredVideo:
        """Copy to the owner's folder, which is created if absent, then rename atomically."""
        check_key(key)
        target = self.folder / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_PARTIAL, dir=target.parent)
            partial = Path(name)
            try:
                with path.open("rb") as source, os.fdopen(handle, "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
                    copy.flush()
                    os.fsync(handle)
                stored = StoredVideo(self.address(key), partial.stat().st_size, sha256_of(partial))
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StorageError(f"{key} cannot be stored: {error.strerror}") from error
        return stored

    def address(self, key: str) -> str:
        """See ``VideoStore``."""
        check_key(key)
        return f"{self.public_url.rstrip('/')}/{key}"

    def remove(self, key: str) -> None:
        """See ``VideoStore``."""
        check_key(key)
        try:
            (self.folder / key).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{key} cannot be deleted: {error.strerror}") from error

    def sweep(self, older_than_s: float) -> int:
        """Delete videos of all owners older than ``older_than_s``, and partial copies sooner.

        Returns:
            The number of deleted files. Other files are kept. A folder that cannot be read is
            skipped; storing in it raises the error.
        """
        owners = [
            Path(entry)
            for entry in _entries(self.folder)
            if entry.is_dir(follow_symlinks=False) and OWNER.fullmatch(entry.name)
        ]
        return sum(_sweep(folder, older_than_s) for folder in (self.folder, *owners))


@dataclass(frozen=True, slots=True)
class GcsStore:
    """Store under a prefix of a bucket, accessible to anyone who may read the bucket.

    Attributes:
        bucket: its name.
        prefix: of the objects' names, without slashes around it; empty for none.
        client_factory: creates the client of each upload.
        retry_s: seconds during which a failed request is retried.
    """

    bucket: str
    prefix: str
    client_factory: Callable[[], "Client"] = gcs_client
    retry_s: float = 120.0

    def put(self, path: Path, key: str) -> StoredVideo:
        """Upload as a new object, with its checksum verified by the server.

        ``if_generation_match=0`` makes the upload safe to retry on failure. If the object already
        exists with this content, an earlier attempt succeeded.
        """
        name = object_name(self.prefix, key)
        from google.api_core.exceptions import PreconditionFailed
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry = DEFAULT_RETRY.with_timeout(self.retry_s)
        with _google_errors(f"gs://{self.bucket}/{name}"), self.client_factory() as client:
            blob = client.bucket(self.bucket).blob(name)
            try:
                blob.upload_from_filename(
                    str(path),
                    content_type="video/mp4",
                    if_generation_match=0,
                    checksum="md5",
                    retry=retry,
                )
            except PreconditionFailed:
                blob.reload(retry=retry)
                if blob.md5_hash != _md5_base64(path):
                    raise StorageError(
                        f"gs://{self.bucket}/{name} holds another video",
                        hint="Send the request under a new id.",
                        retryable=False,
                    ) from None
        return StoredVideo(self.address(key), path.stat().st_size, sha256_of(path))

    def address(self, key: str) -> str:
        """See ``VideoStore``."""
        name = object_name(self.prefix, key)
        return f"https://storage.googleapis.com/{self.bucket}/{quote(name)}"

    def remove(self, key: str) -> None:
        """See ``VideoStore``."""
        name = object_name(self.prefix, key)
        from google.api_core.exceptions import NotFound
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry = DEFAULT_RETRY.with_timeout(self.retry_s)
        with (
            _google_errors(f"gs://{self.bucket}/{name}"),
            self.client_factory() as client,
            suppress(NotFound),
        ):
            client.bucket(self.bucket).blob(name).delete(retry=retry)


def open_store(
    target: str, public_url: str, *, s3_endpoint: str | None = None, url_s: float = WEEK_S
) -> VideoStore:
    """Open the store of the setting ``output``.

    Args:
        target: ``gs://bucket/prefix``, ``s3://bucket/prefix``, or a local folder, which is created
            if absent.
        public_url: address under which a local folder is served.
        s3_endpoint: see :func:`deployments.fetch.s3.s3_bucket`.
        url_s: validity of the addresses of videos in S3.

    Raises:
        ConfigurationError: ``target`` is neither, or the folder cannot be written.
    """
    if match := _BUCKET_TARGET.fullmatch(target):
        prefix = (match["prefix"] or "").strip("/")
        if match["scheme"] == "gs":
            return GcsStore(match["bucket"], prefix)
        if not {"", ".", ".."} & {*prefix.split("/")} or not prefix:
            return S3VideoStore(match["bucket"], prefix, s3_endpoint, url_s)
    if "://" in target or not target.strip():
        raise ConfigurationError(
            f"output: {target!r} is no folder, gs://bucket/prefix or s3://bucket/prefix",
            setting="output",
        )
    folder = Path(target).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"output: {target!r} cannot be written: {error.strerror}", setting="output"
        ) from error
    return LocalStore(folder, public_url)


def _kept_s(name: str, longest_s: float) -> float | None:
    """Return the seconds to keep a file of this name; None if this store did not write it."""
    if name.startswith(_PARTIAL):
        return min(longest_s, _COPIED_S)
    return longest_s if NAME.fullmatch(name) else None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except OSError:
        return []


def _sweep(folder: Path, older_than_s: float) -> int:
    now = time.time()
    try:
        return sum(
            _remove_if_older(Path(entry), now - age_s)
            for entry in _entries(folder)
            if entry.is_file(follow_symlinks=False)
            and (age_s := _kept_s(entry.name, older_than_s)) is not None
        )
    except OSError:
        return 0


def _remove_if_older(path: Path, before: float) -> bool:
    try:
        if path.stat().st_mtime >= before:
            return False
        path.unlink()
    except FileNotFoundError:  # another replica sweeps the same folder
        return False
    return True


def _md5_base64(path: Path) -> str:
    """Return the checksum in Cloud Storage's notation for an object uploaded in one piece."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return base64.b64encode(digest.digest()).decode("ascii")


@contextmanager
def _google_errors(name: str) -> Iterator[None]:
    """Convert errors of Google's client to StorageError, without texts that hold addresses."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

    try:
        yield
    except GoogleAuthError as error:
        raise StorageError(
            f"{name} cannot be written: this service has no valid Google identity", retryable=False
        ) from error
    except GoogleAPICallError as error:
        raise StorageError(
            f"{name} was refused with status {error.code}",
            retryable=error.code is None or error.code >= 500 or error.code in (408, 429),
        ) from error
    except (RetryError, DataCorruption, InvalidResponse, requests.RequestException) as error:
        raise StorageError(f"{name} could not be written whole") from error
