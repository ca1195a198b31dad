"""Call the HTTP interface: typed answers, typed errors, blocking or asynchronous.

    with PoseClient("http://127.0.0.1:8003") as client:
        answer = client.analyze("run.mp4", confidence=0.4)

It imports neither Ray nor torch, nor numpy. Norms in YAML need pyyaml.
"""

from serve_app.client.async_client import AsyncPoseClient
from serve_app.client.job_events import JobEvent, ProgressEvent, StateEvent
from serve_app.client.pose_client import PoseClient
from serve_app.client.stream_lines import (
    StreamEnd,
    StreamFrame,
    StreamLine,
    StreamPoses,
    StreamProgress,
)

__all__ = [
    "AsyncPoseClient",
    "JobEvent",
    "PoseClient",
    "ProgressEvent",
    "StateEvent",
    "StreamEnd",
    "StreamFrame",
    "StreamLine",
    "StreamPoses",
    "StreamProgress",
]
