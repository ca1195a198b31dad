"""Store annotated videos in a bucket of S3, or of a store with its interface."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deployments.annotated_video import StoredVideo
from deployments.errors import StorageError
from deployments.fetch.s3 import S3Limits, s3_bucket
from deployments.file_digest import sha256_of
from deployments.render.object_names import object_name

if TYPE_CHECKING:
    from obstore.store import S3Store

WEEK_S: Final = 7 * 86_400.0
"""Longest validity of a signed address."""

_DIGEST = "sha256"
_PART_BYTES = 8 * 1024**2
_PARTS_AT_ONCE = 4
_S3_LIMITS = S3Limits()


@dataclass(frozen=True, slots=True)
class S3VideoStore:
    """Store under a prefix of a bucket of S3, accessible by signed addresses for a while.

    Attributes:
        bucket: its name.
        prefix: of the objects' names, without slashes around it; empty for none.
        endpoint: address of a store other than Amazon's.
        url_s: validity of the addresses; S3 allows a week at most, and no longer than the
            session of temporary credentials.
        limits: of each request.
    """

    bucket: str
    prefix: str
    endpoint: str | None = None
    url_s: float = WEEK_S
    limits: S3Limits = _S3_LIMITS

    def put(self, path: Path, key: str) -> StoredVideo:
        """Upload as a new object, in parts if it is large, with its digest as metadata.

        If the object already exists with this digest, an earlier attempt succeeded.
        """

        name = object_name(self.prefix, key)
        digest, size = sha256_of(path), path.stat().st_size
        with _s3_errors(f"s3://{self.bucket}/{name}"):
            store = s3_bucket(self.bucket, self.endpoint, self.limits)
            if not self._is_there(store, name, digest, size):
                self._upload(store, name, path, digest, size)
        return StoredVideo(self.address(key), size, digest)

    def address(self, key: str) -> str:
        """See ``VideoStore``."""
        import obstore

        name = object_name(self.prefix, key)
        with _s3_errors(f"s3://{self.bucket}/{name}"):
            store = s3_bucket(self.bucket, self.endpoint, self.limits)
            return obstore.sign(store, "GET", name, timedelta(seconds=min(self.url_s, WEEK_S)))

    def remove(self, key: str) -> None:
        """See ``VideoStore``."""
        import obstore

        name = object_name(self.prefix, key)
        with _s3_errors(f"s3://{self.bucket}/{name}"), suppress(FileNotFoundError):
            obstore.delete(s3_bucket(self.bucket, self.endpoint, self.limits), name)

    def _upload(self, store: "S3Store", name: str, path: Path, digest: str, size: int) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        attributes = {"Content-Type": "video/mp4", _DIGEST: digest}
        if size > _PART_BYTES:  # in parts obstore knows no condition
            obstore.put(
                store,
                name,
                path,
                attributes=attributes,
                use_multipart=True,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
            return
        try:
            obstore.put(store, name, path, attributes=attributes, mode="create")
        except AlreadyExistsError:
            self._is_there(store, name, digest, size)

    def _is_there(self, store: "S3Store", name: str, digest: str, size: int) -> bool:
        """Return whether the video is stored already; raises if another one is."""
        import obstore

        try:
            found = obstore.get(store, name, options={"head": True})
        except FileNotFoundError:
            return False
        if found.meta["size"] != size or found.attributes.get(_DIGEST) != digest:
            raise StorageError(
                f"s3://{self.bucket}/{name} holds another video",
                hint="Send the request under a new id.",
                retryable=False,
            )
        return True


@contextmanager
def _s3_errors(name: str) -> Iterator[None]:
    """Convert errors of the S3 client to StorageError, without texts that hold addresses."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except (PermissionDeniedError, FileNotFoundError) as error:
        raise StorageError(
            f"{name} was refused: no such bucket or no right", retryable=False
        ) from error
    except UnauthenticatedError as error:
        raise StorageError(
            f"{name} cannot be written: this service has no valid S3 identity", retryable=False
        ) from error
    except BaseError as error:
        raise StorageError(f"{name} could not be written whole") from error
