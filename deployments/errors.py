"""Define all errors of the service as one tree.

Each error says what happened (``detail``), what the caller can do (``hint``), and whether the same
call may succeed later (``retryable``). ``status`` and ``code`` are those of the HTTP response.

    ServiceError
    ├── BadParameterError     HeaderNotAllowedError   NotAcceptableError   BodyTimeoutError
    ├── UnauthorizedError     RateLimitedError        QuotaExceededError
    ├── SourceError            the video's address
    │   ├── AddressNotAllowedError
    │   ├── SourceNotFoundError
    │   └── UnreachableError
    ├── MediaError             the file's content
    │   ├── NotAVideoError   UnsupportedCodecError   AudioOnlyError
    │   ├── NoFramesError    TruncatedError
    │   └── TooLargeError
    ├── ModelError
    │   ├── WeightsMissingError   WeightsCorruptError   UnknownModelError   DownloadError
    │   └── InferenceError
    ├── StorageError
    │   └── WorkingFilesError   JobTableError   ResultFilesError
    ├── UploadError            an upload in parts
    │   ├── UploadNotFoundError   UploadOffsetError   UploadBusyError
    │   ├── UploadUnfinishedError   ChecksumMismatchError
    │   └── UploadVersionError   PartTypeError
    ├── IdempotencyKeyReusedError   IdempotencyInProgressError   QueueFullError
    ├── JobNotFoundError   JobNotFinishedError   PosesGoneError
    ├── NotReadyError   OverloadedError   DeadlineExceededError   StageFailedError
    └── ConfigurationError
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar


class ServiceError(Exception):
    """Base of all errors of the service.

    Args:
        detail: what happened, with the facts, for a person; never a secret, a signed URL or a path
            of this machine.
        hint: what the caller can do; the class's own by default.
        retryable: whether the same call may succeed later; the class's own by default.
        retry_after_s: seconds to wait before trying again, where known.
        private: text for the log and the command line only, such as paths of this machine; part of
            ``str`` but not of ``detail``.
        facts: additional fields of the problem document (``limit=...``, ``field=...``).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    default_hint: ClassVar[str] = "Report this with the request id."
    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        hint: str | None = None,
        retryable: bool | None = None,
        retry_after_s: float | None = None,
        private: str = "",
        **facts: Any,
    ) -> None:
        super().__init__(f"{detail}; {private}" if private else detail)
        self.detail = detail
        self.hint = self.default_hint if hint is None else hint
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after_s = retry_after_s
        self.private = private
        self.facts = facts

    def problem(self) -> dict[str, Any]:
        """Return the fields of the problem document (RFC 9457), without its ``instance``."""
        return {
            **self.facts,
            "type": f"/errors/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "hint": self.hint,
            "retryable": self.retryable,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray pickles errors across processes; keyword arguments must survive.
        return _rebuild, (
            type(self),
            self.detail,
            {
                "hint": self.hint,
                "retryable": self.retryable,
                "retry_after_s": self.retry_after_s,
                "private": self.private,
                **self.facts,
            },
        )


def _rebuild(cls: type[ServiceError], detail: str, keywords: dict[str, Any]) -> ServiceError:
    return cls(detail, **keywords)


class BadParameterError(ServiceError):
    """A field of the request is missing, unknown or out of range."""

    status, code, title = 422, "bad_parameter", "Bad parameter"
    default_hint = "See /docs for the fields and their ranges."


class AthleteNotFoundError(BadParameterError):
    """Nobody was found at the point where the request says that the athlete is."""

    code, title = "athlete_not_found", "Nobody at the point of the athlete"
    default_hint = "Choose a point in one of the boxes listed under `people`, or another frame."


class DefinitionsDifferError(BadParameterError):
    """Two results use different versions of the definitions and cannot be compared."""

    code, title = "definitions_differ", "Results of different definitions"


class HeaderNotAllowedError(ServiceError):
    """A header of the request would change the server's behavior."""

    status, code, title = 400, "header_not_allowed", "Header not allowed"
    default_hint = "Send the request without this header."


class NotAcceptableError(ServiceError):
    """The caller accepts no encoding of the response that there is."""

    status, code, title = 406, "not_acceptable", "No acceptable encoding"
    default_hint = "Send the request without Accept-Encoding."


class UnauthorizedError(ServiceError):
    """The request has no valid key or token."""

    status, code, title = 401, "unauthorized", "No valid key"
    default_hint = "Send your key: Authorization: Bearer KEY, or X-API-Key: KEY."


class RateLimitedError(ServiceError):
    """The caller has sent more requests in a minute than its key allows."""

    status, code, title = 429, "rate_limited", "Too many requests of this key"
    default_retryable = True
    default_hint = "Wait for the seconds in Retry-After, then try again."


class QuotaExceededError(ServiceError):
    """The caller has used the quota of its key."""

    status, code, title = 429, "quota_exceeded", "Quota used"
    default_retryable = True
    default_hint = "Wait for the seconds in Retry-After, or ask the operator for a larger quota."


class BodyTimeoutError(ServiceError):
    """The body of the request arrived too slowly."""

    status, code, title = 408, "body_timeout", "The body came too slowly"
    default_retryable = True
    default_hint = "Send it over a faster connection, or send the address of the video instead."


class SourceError(ServiceError):
    """The video's address cannot be used."""

    status, code, title = 422, "bad_source", "The video cannot be fetched"
    default_hint = "Give an http(s), gs:// or s3:// address of a video file, or upload the file."


class AddressNotAllowedError(SourceError):
    """The scheme, host, port or resolved address is not allowed."""

    status, code, title = 403, "address_not_allowed", "Address not allowed"
    default_hint = (
        "Use a public http(s), gs:// or s3:// address; the operator can allow hosts "
        "(MMPOSE_ALLOWED_HOSTS) and buckets (MMPOSE_GCS_BUCKETS, MMPOSE_S3_BUCKETS)."
    )


class SourceNotFoundError(SourceError):
    """The remote server responded, but has no such file or refuses to send it."""

    status, code, title = 422, "source_not_found", "The address has no video"
    default_hint = "Check the address, its expiry and its permissions."


class UnreachableError(SourceError):
    """The remote server sent no response, a broken one, or a server error."""

    status, code, title = 502, "unreachable", "The address cannot be reached"
    default_retryable = True
    default_hint = "Check that the address responds, and try again later."


class MediaError(ServiceError):
    """The file is not a video that can be analyzed."""

    status, code, title = 422, "bad_media", "The file cannot be analyzed"
    default_hint = (
        "Send an MP4, MOV, MKV, WebM or AVI file with a video track, "
        "or a JPEG, PNG or WebP picture."
    )


class NotAVideoError(MediaError):
    """The file is not in a supported container format."""

    status, code, title = 415, "not_a_video", "Not a video"


class UnsupportedCodecError(MediaError):
    """The container is supported, but its video codec is not."""

    status, code, title = 415, "unsupported_codec", "Unsupported video codec"
    default_hint = "Send H.264, HEVC, VP8, VP9, AV1 or MPEG-4 video."


class AudioOnlyError(MediaError):
    """The file has sound but no pictures."""

    status, code, title = 422, "audio_only", "No video track"


class NoFramesError(MediaError):
    """The file has a video track without a single picture."""

    status, code, title = 422, "no_frames", "No frames"


class TruncatedError(MediaError):
    """The file ends before its own index says it should."""

    status, code, title = 422, "truncated", "The file is incomplete"
    default_hint = "Upload the complete file again."


class TooLargeError(MediaError):
    """A limit of bytes, seconds, pixels or frames is exceeded; ``facts`` has limit and value."""

    status, code, title = 413, "too_large", "Too large"
    default_hint = "Send a shorter or smaller video; the operator can raise the limit."


class ModelError(ServiceError):
    """A model cannot be loaded or used."""

    status, code, title = 503, "model_error", "Model error"


class UnknownModelError(ModelError):
    """The registry has no model of this name."""

    status, code, title = 422, "unknown_model", "Unknown model"
    default_hint = "See the names in `mmpose-service models list`."


class WeightsMissingError(ModelError):
    """The checkpoint file is in none of the folders searched."""

    code, title = "weights_missing", "Model weights are missing"


class WeightsCorruptError(ModelError):
    """The checkpoint file is damaged, or not the one in the registry."""

    code, title = "weights_corrupt", "Model weights are damaged"


class DownloadError(ModelError):
    """A published checkpoint could not be downloaded."""

    code, title = "download_failed", "Download failed"
    default_retryable = True
    default_hint = "Try again; the download resumes where it stopped."


class InferenceError(ModelError):
    """The network failed on its input."""

    status, code, title = 500, "inference_failed", "Inference failed"


class StorageError(ServiceError):
    """The annotated video could not be stored."""

    status, code, title = 502, "storage_failed", "The annotated video could not be stored"
    default_retryable = True
    default_hint = 'Try again, or request only the data with "video": false.'


class WorkingFilesError(StorageError):
    """Working files of a request cannot be written: the disk is full, read-only or gone."""

    status, title = 503, "Working files cannot be kept"
    default_hint = "Try again later; the operator must check the disk of MMPOSE_SPOOL_DIR."


class JobTableError(StorageError):
    """The database of jobs does not answer, or refuses to be written."""

    status, title = 503, "The job table cannot be used"
    default_hint = "Try again later; the operator must check the database of MMPOSE_JOBS_DATABASE."


class ResultFilesError(StorageError):
    """The result of a job cannot be read: files are missing or damaged."""

    status, title = 500, "The result of the job cannot be read"
    default_retryable = False
    default_hint = (
        "Submit the video again; the operator must check the disk of MMPOSE_JOBS_DIR, and the log."
    )


@contextmanager
def keeping(what: str) -> Iterator[None]:
    """Convert file-system errors to a :class:`WorkingFilesError` that names ``what``.

    Errors of connections and time limits, which are also ``OSError``, are raised unchanged.
    """
    try:
        yield
    except (TimeoutError, ConnectionError):
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WorkingFilesError(
            f"{what} cannot be written: {reason}", private=str(error)
        ) from error


class IdempotencyKeyReusedError(ServiceError):
    """The Idempotency-Key was sent before with another body."""

    status, code, title = 422, "idempotency_key_reused", "Idempotency-Key of another request"
    default_hint = (
        "Make a new Idempotency-Key for each request; repeat one only with the same body."
    )


class IdempotencyInProgressError(ServiceError):
    """The first request with this Idempotency-Key is not answered yet."""

    status, code, title = 409, "idempotency_in_progress", "The first request is not answered yet"
    default_retryable = True
    default_hint = "Wait for the answer to the first request, or send this one again later."


class QueueFullError(ServiceError):
    """The caller has the configured number of queued jobs; ``facts`` has limit and value."""

    status, code, title = 429, "queue_full", "Too many queued jobs"
    default_retryable = True
    default_hint = "Wait for the seconds in Retry-After, or cancel queued jobs, then try again."


class JobNotFoundError(ServiceError):
    """The caller has no job of this id."""

    status, code, title = 404, "job_not_found", "No such job"
    default_hint = "See the ids in GET /jobs; ended jobs are deleted after some time."


class JobNotFinishedError(ServiceError):
    """The job has no result yet, or ended without one; ``facts`` has its state."""

    status, code, title = 409, "job_not_finished", "The job has no result"
    default_hint = (
        "Wait until its state is `succeeded`: ask for the job itself, or read its events."
    )


class PosesGoneError(ServiceError):
    """The measured points of a job, or its video, are no longer kept."""

    status, code, title = 410, "poses_gone", "The measured points are gone"
    default_hint = "Submit the video again, and correct the result of that job."


class UploadError(ServiceError):
    """An upload in parts cannot be continued or used."""

    status, code, title = 422, "bad_upload", "The upload cannot be used"
    default_hint = "Ask for its offset with HEAD, and continue there."


class UploadNotFoundError(UploadError):
    """The upload is absent, has expired, or belongs to another caller."""

    status, code, title = 404, "upload_not_found", "No such upload"
    default_hint = "Begin a new upload; unused ones expire."


class UploadOffsetError(UploadError):
    """The part does not begin at the end of the last one; ``facts`` has the offset."""

    status, code, title = 409, "upload_offset", "The part does not continue the upload"


class UploadBusyError(UploadError):
    """Another request sends a part of this upload, or uses it."""

    status, code, title = 423, "upload_busy", "The upload is in use"
    default_retryable = True
    default_hint = "Wait until the other request has ended."


class UploadUnfinishedError(UploadError):
    """The upload is to be used, but parts of it are missing."""

    status, code, title = 409, "upload_unfinished", "The upload is not whole"


class ChecksumMismatchError(UploadError):
    """The part arrived with another checksum than announced, and was dropped."""

    status, code, title = 460, "checksum_mismatch", "The part is damaged"
    default_retryable = True
    default_hint = "Send the part again."


class UploadVersionError(UploadError):
    """The request names no version of the upload protocol, or another one."""

    status, code, title = 412, "upload_version", "Another version of the upload protocol"
    default_hint = "Send the header Tus-Resumable: 1.0.0."


class PartTypeError(UploadError):
    """The body of a part has another content type than the protocol requires."""

    status, code, title = 415, "part_type", "Not a part of an upload"
    default_hint = "Send the part with Content-Type: application/offset+octet-stream."


class NotReadyError(ServiceError):
    """No pose model or no detector is loaded."""

    status, code, title = 503, "not_ready", "Not ready"
    default_retryable = True
    default_hint = "See /healthz for what is missing."


class OverloadedError(ServiceError):
    """The configured number of concurrent requests is reached."""

    status, code, title = 429, "overloaded", "Too many requests"
    default_retryable = True
    default_hint = "Wait for the seconds in Retry-After, then try again."


class DeadlineExceededError(ServiceError):
    """The request took longer than configured."""

    status, code, title = 504, "deadline_exceeded", "Out of time"
    default_retryable = True
    default_hint = "Send a shorter video, or ask the operator for a longer deadline."


class StageFailedError(ServiceError):
    """A stage died or failed repeatedly while working on this request."""

    status, code, title = 503, "stage_failed", "A stage of the service failed"
    default_retryable = True
    default_hint = "Try again."


class ConfigurationError(ServiceError):
    """A setting is wrong; raised at start with the name of the setting."""

    code, title = "configuration", "Wrong configuration"
    default_hint = "Correct the setting named above."
