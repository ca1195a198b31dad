"""Call the HTTP interface: typed answers, typed errors.

    with PoseClient("http://127.0.0.1:8003") as client:
        answer = client.analyze("run.mp4", confidence=0.4)

It imports neither Ray nor torch, nor numpy. Norms in YAML need pyyaml.
"""

import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, overload

import httpx

from deployments import errors
from deployments.errors import BadParameterError, NotReadyError, ServiceError, UnreachableError
from serve_app.access.caller import API_KEY_VARIABLE
from serve_app.client_uploads import IN_PARTS_FROM, TUS, UploadProgress, upload_in_parts
from serve_app.http.export_query import ExportQuery, Format
from serve_app.results.health_schema import Health
from serve_app.results.response_schema import PoseOptions, PoseRequest, PoseResponse
from serve_app.results.supplied import SUPPLIED, is_table, read_supplied, read_text

_POLL_S = 0.5


def _all_errors(root: type[ServiceError]) -> dict[str, type[ServiceError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _all_errors(child)
    return found


_BY_CODE = _all_errors(errors.ServiceError)


class _Key(httpx.Auth):
    """Send a key to the service alone: the address of a video may be a bucket's."""

    def __init__(self, key: str, service: httpx.URL) -> None:
        self._key = key
        self._service = _origin(service)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        if _origin(request.url) == self._service:
            request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


class PoseClient:
    """Calls one service.

    Args:
        base_url: of the service, such as ``http://127.0.0.1:8003``.
        timeout_s: for a whole answer; an analysis takes about as long as the video is.
        retries: how often a call that the service says may succeed later is made again, after the
            time it names (``Retry-After``) or a second.
        api_key: of a service that requires one; the environment's ``MMPOSE_API_KEY`` by default.
        transport: in the network's place, for tests.

    Every call raises the :class:`deployments.errors.ServiceError` that the service answered with,
    and :class:`UnreachableError` where there is no service.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8003",
        *,
        timeout_s: float = 3600.0,
        retries: int = 0,
        api_key: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            transport=transport,
        )
        if key := api_key or os.environ.get(API_KEY_VARIABLE):
            self._http.auth = _Key(key, self._http.base_url)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def analyze(self, source: str | Path, /, **options: Any) -> PoseResponse:
        """Analyze a video.

        Args:
            source: an address (``https://``, ``gs://``, ``s3://``), or a file to upload; in parts
                if it is larger than :data:`IN_PARTS_FROM`.
            options: fields of :class:`serve_app.results.response_schema.PoseOptions`.
                ``reference`` and ``before`` may be responses as this client gives them, and they
                and ``norms`` the :class:`pathlib.Path` of a file here, which is read.

        Raises:
            ServiceError: as the service answered. FileNotFoundError: no such file.
            BadParameterError: what to compare to cannot be read, or is not what it should be.
            pydantic.ValidationError: an option is unknown or out of range.
        """
        if options.get("fields") is not None:
            raise BadParameterError(
                "a response with fields is partial, and this method returns whole ones",
                hint="Call analyze_parts, which returns a dictionary.",
                field="fields",
            )
        return PoseResponse.model_validate_json(self._analyzed(source, options))

    def analyze_parts(self, source: str | Path, fields: str, /, **options: Any) -> dict[str, Any]:
        """Analyze a video, and return only parts of the response, as plain JSON values.

        Args:
            source: as for :meth:`analyze`.
            fields: paths with commas between them, such as ``joint_angles,video_url``.
            options: as for :meth:`analyze`.

        Raises:
            BadParameterError: the response has no such part. As for :meth:`analyze`.
        """
        answer = self._analyzed(source, {**options, "fields": fields})
        parts: dict[str, Any] = json.loads(answer)
        return parts

    def _analyzed(self, source: str | Path, options: dict[str, Any]) -> bytes:
        options, table = _compared(options)
        if isinstance(source, str) and "://" in source:
            body = PoseRequest(video_url=source, **options).model_dump(exclude_unset=True) | table
            return self._call("POST", "/pose", json=body).content
        chosen = PoseOptions(**options).model_dump(exclude_unset=True)
        if Path(source).stat().st_size > IN_PARTS_FROM:
            return self._analyze_in_parts(Path(source), chosen | table)
        form = {name: _form_value(value) for name, value in chosen.items() if value is not None}
        form |= table
        with Path(source).open("rb") as file:
            return self._call("POST", "/pose", files={"file": file}, data=form).content

    def upload(self, path: str | Path, progress: UploadProgress | None = None) -> str:
        """Upload a file in parts; where the connection breaks, go on from what has arrived.

        Args:
            path: of the file.
            progress: called with the bytes that have arrived, and those of the file.

        Returns:
            its ``upload_id``, for one request.

        Raises:
            ServiceError: as the service answered, at the end of several tries without progress.
            FileNotFoundError: no such file.
        """
        return upload_in_parts(self._call, Path(path), progress)

    def _analyze_in_parts(self, path: Path, options: dict[str, Any]) -> bytes:
        upload_id = self.upload(path)
        try:
            return self._call("POST", "/pose", json=options | {"upload_id": upload_id}).content
        except ServiceError:
            with suppress(ServiceError):  # nobody else knows it; else it expires
                self._call("DELETE", f"/uploads/{upload_id}", headers=TUS)
            raise

    def health(self) -> Health:
        """Return what is loaded, even if the service is not ready."""
        try:
            answer = self._http.get("/healthz")
        except httpx.TransportError as error:
            raise _unreachable(self._http.base_url, error) from error
        try:
            return Health.model_validate_json(answer.content)
        except ValueError as error:
            raise _unexpected(answer) from error

    def wait_until_ready(self, timeout_s: float = 120.0) -> Health:
        """Wait for a service that is starting.

        Raises:
            NotReadyError: it was not ready in time; says why.
        """
        end = time.monotonic() + timeout_s
        while True:
            try:
                health = self.health()
                if health.status != "not_ready":
                    return health
                reason = "; ".join(health.reasons)
            except ServiceError as error:  # not there yet, or Serve answers in its place
                reason = error.detail
            if time.monotonic() >= end:
                raise NotReadyError(f"not ready after {timeout_s:g} s: {reason}")
            time.sleep(_POLL_S)

    def download(self, response: PoseResponse, to: str | Path) -> Path:
        """Fetch the annotated video of ``response`` into the file ``to``, which is given back.

        Raises:
            ValueError: it has none.
        """
        if response.video_url is None:
            raise ValueError("the response has no annotated video")
        self._call("GET", response.video_url, Path(to))
        return Path(to)

    @overload
    def export(
        self, result: PoseResponse | str | Path, kind: Format, to: None = None, **options: Any
    ) -> bytes: ...

    @overload
    def export(
        self, result: PoseResponse | str | Path, kind: Format, to: str | Path, **options: Any
    ) -> Path: ...

    def export(
        self,
        result: PoseResponse | str | Path,
        kind: Format,
        to: str | Path | None = None,
        **options: Any,
    ) -> bytes | Path:
        """Make a file of another program of a result.

        Args:
            result: with its data; or a file that has one as JSON.
            kind: ``csv``, ``parquet``, ``trc``, ``mot``, ``c3d`` or ``coco``: docs/exports.md.
            to: file to write, which is given back; without it the content is.
            options: other fields of :class:`serve_app.http.export_query.ExportQuery`.

        Raises:
            ServiceError: as the service answered: BadParameterError where the result has not what
                the format needs, TooLargeError. FileNotFoundError: no such file.
            pydantic.ValidationError: an option is unknown or out of range.
        """
        query = ExportQuery(format=kind, **options).model_dump(exclude_none=True)
        body = (
            result.model_dump_json().encode()
            if isinstance(result, PoseResponse)
            else Path(result).read_bytes()
        )
        asked: dict[str, Any] = {
            "params": query,
            "content": body,
            "headers": {"Content-Type": "application/json"},
        }
        if to is None:
            return self._call("POST", "/export", **asked).content
        self._call("POST", "/export", Path(to), **asked)
        return Path(to)

    def _call(
        self, method: str, path: str, to: Path | None = None, **request: Any
    ) -> httpx.Response:
        """Return the answer, its content read or written to ``to``; retry as often as allowed."""
        for attempt in range(self._retries + 1):
            for part in request.get("files", {}).values():
                part.seek(0)
            try:
                return self._once(method, path, to, request)
            except ServiceError as failure:
                if not failure.retryable or attempt == self._retries:
                    raise
                time.sleep(1.0 if failure.retry_after_s is None else failure.retry_after_s)
        raise AssertionError("unreachable")

    def _once(
        self, method: str, path: str, to: Path | None, request: Mapping[str, Any]
    ) -> httpx.Response:
        try:
            with self._http.stream(method, path, **request) as answer:
                if answer.is_success and to is not None:
                    _save(answer, to)
                else:
                    answer.read()
        except httpx.TransportError as error:
            raise _unreachable(self._http.base_url, error) from error
        if not answer.is_success:
            raise _error_of(answer)
        return answer


def _compared(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Replace files by their content, and responses by what is compared of them.

    Returns:
        the options, and apart from them a table of angles, which the service alone understands.
    """
    files = {n: value for n in SUPPLIED if isinstance(value := options.get(n), Path)}
    results = {
        name: {"data": value.data and value.data.model_dump(include=_COMPARED)}
        for name, value in options.items()
        if isinstance(value, PoseResponse)
    }
    reference = options.get("reference")
    if "reference" in files:
        reference = read_text("reference", files["reference"])
    if isinstance(reference, str | bytes) and is_table(reference):
        options = {name: value for name, value in options.items() if name != "reference"}
        files.pop("reference", None)
        text = reference if isinstance(reference, str) else reference.decode("utf-8", "replace")
        return options | results | read_supplied(files), {"reference": text}
    return options | results | read_supplied(files), {}


_COMPARED: Final = {"biomechanics_summary"}


def _save(answer: httpx.Response, to: Path) -> None:
    """Write the content to a file, which is there only once it is whole."""
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("wb") as file:
            for chunk in answer.iter_bytes():
                file.write(chunk)
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def _error_of(answer: httpx.Response) -> ServiceError:
    """Return the error of a problem document."""
    try:
        document = answer.json()
        kind = _BY_CODE.get(document["code"], ServiceError)
        after = answer.headers.get("Retry-After", "")
        return kind(
            document["detail"],
            hint=document["hint"],
            retryable=document["retryable"],
            retry_after_s=float(after) if after.isdecimal() else None,
        )
    except (ValueError, KeyError, TypeError):
        return _unexpected(answer)


def _unexpected(answer: httpx.Response) -> ServiceError:
    """Return the error of an answer of another source, such as Serve or a gateway."""
    return UnreachableError(
        f"the answer is not this service's: {answer.status_code} {answer.text[:200]!r}",
        retryable=answer.status_code in (408, 429) or answer.status_code >= 500,
    )


def _unreachable(address: httpx.URL, error: httpx.TransportError) -> UnreachableError:
    return UnreachableError(f"{address} does not answer: {error or type(error).__name__}")


def _form_value(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)
