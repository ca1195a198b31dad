"""Read the server-sent events of a job."""

import json
from collections.abc import Generator
from typing import Any

from pydantic import BaseModel

from serve_app.client.steps import Lines, Step
from serve_app.results.job_schema import ENDED, StageName, StateName
from serve_app.results.response_schema import Problem


class StateEvent(BaseModel):
    """A job has another state."""

    number: int
    state: StateName
    error: Problem | None = None

    @property
    def is_last(self) -> bool:
        """Return whether nothing more happens to the job."""
        return self.state in ENDED


class ProgressEvent(BaseModel):
    """A running job has come further; counts are 0 until they are known."""

    number: int
    stage: StageName | None
    done: int
    total: int
    frames_done: int
    frames_total: int

    @property
    def is_last(self) -> bool:
        """Return False: an event of another kind follows."""
        return False


JobEvent = StateEvent | ProgressEvent
_KINDS: dict[str, type[JobEvent]] = {"state": StateEvent, "progress": ProgressEvent}


def next_event(lines: Lines) -> Generator[Step, Any, JobEvent | None]:
    """Return the next event of the content, None at its end; kinds not known here are left out."""
    fields: dict[str, str] = {}
    while (line := (yield from lines.next())) is not None:
        text = line.decode().rstrip("\r")
        if text:
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")
        elif kind := _KINDS.get(fields.get("event", "")):
            return kind.model_validate({**json.loads(fields["data"]), "number": int(fields["id"])})
        else:
            fields = {}
    return None
