"""Wait for Serve applications until they run."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from deployments.errors import NotReadyError, StageFailedError
from serve_app.cli.json_output import is_json, print_failure
from serve_app.cli.progress_bar import STDERR

_POLL_S = 1.0


def wait_until_running(
    applications: Callable[[], Mapping[str, Any]], timeout_s: float | None = None
) -> Mapping[str, Any]:
    """Print every change of state on stderr until all applications run, and return these.

    Args:
        applications: returns the applications by name, as Serve's REST API describes them.
        timeout_s: maximum seconds to wait; None waits without limit.

    Raises:
        click.exceptions.Exit: an application failed; the reason is printed on stderr.
        NotReadyError: the applications do not run in time.
    """
    end = None if timeout_s is None else time.monotonic() + timeout_s
    last = ""
    while True:
        now = applications()
        state = _in_words(now)
        if state != last:
            STDERR.print(state)
            last = state
        statuses = {application["status"] for application in now.values()}
        if statuses == {"RUNNING"}:
            return now
        if "DEPLOY_FAILED" in statuses:  # UNHEALTHY passes, while a replica is replaced
            if is_json():
                print_failure(StageFailedError(_messages(now) or state))
            else:
                STDERR.print(_messages(now))
            raise click.exceptions.Exit(1)
        if end is not None and time.monotonic() >= end:
            raise NotReadyError(
                f"not running after {timeout_s:g} s: {state}",
                hint="See `ray status`: a replica waits until its CPUs and GPUs are free.",
            )
        time.sleep(_POLL_S)


def _in_words(applications: Mapping[str, Any]) -> str:
    lines = []
    for name, application in applications.items():
        states = [
            f"{key} {deployment['status']}"
            for key, deployment in application["deployments"].items()
            if deployment["status"] != "HEALTHY"
        ]
        lines.append(f"{name}: {application['status']}" + "".join(f", {s}" for s in states))
    return "\n".join(lines)


def _messages(applications: Mapping[str, Any]) -> str:
    told = [application["message"] for application in applications.values()]
    for application in applications.values():
        told += [
            f"{key}: {deployment['message']}"
            for key, deployment in application["deployments"].items()
        ]
    return "\n".join(message for message in told if message.strip(": "))
