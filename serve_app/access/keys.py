"""API keys: a file of digests that is read again when it changes."""

import fcntl
import hashlib
import hmac
import json
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from deployments.errors import BadParameterError, ConfigurationError, NotReadyError
from serve_app.access.caller import UNLIMITED, Caller, Quota
from serve_app.private_files import replace_private

logger = logging.getLogger("mmpose_service")

_SECRET_BYTES: Final = 32
_PRESENTED: Final = re.compile(r"([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{22,128})", re.ASCII)
_NOBODYS: Final = "0" * 64
"""Digest that a secret is compared with where there is no such key; no secret has it."""
_WRITABLE_BY_OTHERS: Final = 0o022


class ApiKey(BaseModel):
    """A key without its secret.

    Attributes:
        id: public part of the key.
        owner: ``Caller.id``; the key's own id, or that of the key that it replaces.
        sha256: of the secret, hexadecimal. The secret has 256 random bits, so it needs no salt.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    owner: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    name: str = Field(min_length=1, max_length=100)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created: AwareDatetime
    expires: AwareDatetime | None = None
    revoked: AwareDatetime | None = None
    quota: Quota | None = None

    def state(self, now: datetime) -> str:
        """Return ``valid``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


class _Document(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    keys: list[ApiKey]


class KeyFile:
    """Keys in a JSON file.

    Args:
        path: of the file.
        quota: of keys without their own.
    """

    def __init__(self, path: Path, quota: Quota = UNLIMITED) -> None:
        self._path = path
        self._quota = quota
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}
        self._problem = ""

    def caller(self, presented: str, now: datetime | None = None) -> Caller | None:
        """Return who has the key ``id.secret``; None for a wrong, expired or revoked one.

        Unknown ids take the same comparison as known ones.

        Raises:
            NotReadyError: the file cannot be read; nobody is let in by what it was before.
        """
        self._refresh()
        if self._problem:
            raise NotReadyError("the keys of this service cannot be read", private=self._problem)
        matched = _PRESENTED.fullmatch(presented)
        key = self._keys.get(matched[1]) if matched else None
        digest = hashlib.sha256((matched[2] if matched else "").encode()).hexdigest()
        same = hmac.compare_digest(digest, key.sha256 if key else _NOBODYS)
        if key is None or not same or key.state(now or datetime.now(UTC)) != "valid":
            return None
        return Caller(key.owner, key.name, key.quota or self._quota)

    def require_readable(self) -> None:
        """Check the file at the start.

        Raises:
            ConfigurationError: it is absent, cannot be read, or others can write it.
        """
        self._refresh()
        if self._problem:
            raise ConfigurationError(
                f"keys_file: {self._problem}",
                hint="Make a key: mmpose-service keys add NAME --file FILE.",
                setting="keys_file",
            )

    def all(self) -> list[ApiKey]:
        """Return all keys in the order in which they were added; none where there is no file.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        return _read(self._path).keys if self._path.exists() else []

    def add(
        self,
        name: str,
        *,
        expires: datetime | None = None,
        quota: Quota | None = None,
        replaces: str | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key and the file where there is none.

        Args:
            name: of the caller, for lists and logs.
            expires: when the key ends. quota: its limits; None for those of ``replaces``.
            replaces: id of a key whose results, jobs and videos the new key has too.

        Returns:
            the key, and ``id.secret``, which is stored nowhere.

        Raises:
            BadParameterError: no key has the id ``replaces``, or a value is out of range.
            ConfigurationError: the file cannot be read or written.
        """
        with self._changing() as document:
            id_, secret = secrets.token_hex(8), secrets.token_urlsafe(_SECRET_BYTES)
            replaced = None if replaces is None else _find(document, replaces)
            if replaced is not None and quota is None:
                quota = replaced.quota
            try:
                key = ApiKey(
                    id=id_,
                    owner=id_ if replaced is None else replaced.owner,
                    name=name,
                    sha256=hashlib.sha256(secret.encode()).hexdigest(),
                    created=datetime.now(UTC),
                    expires=expires,
                    quota=quota,
                )
            except ValidationError as error:
                raise BadParameterError(
                    "; ".join(f"{'.'.join(map(str, i['loc']))}: {i['msg']}" for i in error.errors())
                ) from error
            document.keys.append(key)
        return key, f"{id_}.{secret}"

    def revoke(self, key_id: str) -> ApiKey:
        """End a key; one that is revoked already stays so.

        Raises:
            BadParameterError: no key has this id.
            ConfigurationError: the file cannot be read or written.
        """
        with self._changing() as document:
            key = _find(document, key_id)
            revoked = key.model_copy(update={"revoked": key.revoked or datetime.now(UTC)})
            document.keys[document.keys.index(key)] = revoked
        return revoked

    @contextmanager
    def _changing(self) -> Iterator[_Document]:
        """Yield the content to change, one process at a time, and write it."""
        path = self._path.resolve()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.with_name(f".{path.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                document = _read(path) if path.exists() else _Document(keys=[])
                yield document
                replace_private(path, document.model_dump_json(indent=1, exclude_none=True) + "\n")
        except OSError as error:
            raise ConfigurationError(
                f"{self._path} cannot be written: {error.strerror}",
                hint="Name a file in a folder that this user can write.",
            ) from error

    def _refresh(self) -> None:
        """Read the file if it is another than before, or has changed."""
        try:
            found = self._path.stat()
        except OSError as error:
            self._fail(f"{self._path} cannot be read: {error.strerror}")
            return
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen == self._seen:
            return
        if found.st_mode & _WRITABLE_BY_OTHERS:
            self._fail(f"others can write {self._path}; run: chmod 600 {self._path}")
            return
        try:
            keys = {key.id: key for key in _read(self._path).keys}
        except ConfigurationError as error:
            self._fail(error.detail)
            return
        if self._seen or self._problem:
            logger.info("keys: %d read from the changed file", len(keys))
        self._keys, self._problem, self._seen = keys, "", seen

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            logger.error("keys: %s", problem)
        self._keys, self._problem, self._seen = {}, problem, None


def _find(document: _Document, key_id: str) -> ApiKey:
    found = next((key for key in document.keys if key.id == key_id), None)
    if found is None:
        raise BadParameterError(
            f"there is no key {key_id}", hint="See `mmpose-service keys list`.", field="id"
        )
    return found


def _read(path: Path) -> _Document:
    try:
        document = _Document.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:  # without the input, which may hold what it should not
        first = error.errors(include_input=False)[0]
        raise ConfigurationError(
            f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON") from error
    repeated = len(document.keys) - len({key.id for key in document.keys})
    if repeated:
        raise ConfigurationError(f"{path} has {repeated} key with the id of another")
    return document
