"""Open buckets of S3, and of stores with its interface, with the identity of this service.

obstore has its own HTTP client, which the guard of addresses does not see. Callers choose
no address: the client contacts the operator's endpoint, else Amazon's of the region, and whatever
service of the cloud gives it credentials.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obstore.store import S3Store


@dataclass(frozen=True, slots=True)
class S3Limits:
    """Limits of the requests to a bucket, in seconds.

    Attributes:
        connect_s: to connect. read_s: longest silence. total_s: one request.
        retry_s: time during which a failed request is repeated.
        wait_s: first pause before that; later ones are longer.
    """

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 600.0
    retry_s: float = 120.0
    wait_s: float = 0.1


def s3_bucket(bucket: str, endpoint: str | None, limits: S3Limits) -> "S3Store":
    """Open a bucket; nothing is contacted yet.

    Credentials and the region come from the environment (``AWS_ACCESS_KEY_ID`` and so on), else
    from the web identity, container or instance that the process runs in.

    Args:
        bucket: its name.
        endpoint: http(s) address of a store other than Amazon's; None for Amazon's.
        limits: of each request.
    """
    from obstore.store import S3Store

    return S3Store(
        bucket,
        config={} if endpoint is None else {"endpoint": endpoint},
        disable_bulk_delete=True,  # which not every store has
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=limits.connect_s),
            "read_timeout": timedelta(seconds=limits.read_s),
            "timeout": timedelta(seconds=limits.total_s),
        },
        retry_config={
            "retry_timeout": timedelta(seconds=limits.retry_s),
            "backoff": {
                "init_backoff": timedelta(seconds=limits.wait_s),
                "max_backoff": timedelta(seconds=limits.wait_s * 50),
                "base": 2,
            },
        },
    )
