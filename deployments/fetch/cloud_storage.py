"""The client of Google Cloud Storage that downloads and uploads share."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud.storage import Client


def gcs_client() -> "Client":
    """A client with the identity of this service (application default credentials).

    Where ``STORAGE_EMULATOR_HOST`` is set, it talks to that address without credentials. No project
    is needed: only objects of named buckets are read and written.

    Raises:
        google.auth.exceptions.DefaultCredentialsError: the service has no identity.
    """
    from google.cloud import storage

    return storage.Client(project=None)
