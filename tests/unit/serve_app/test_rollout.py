"""Following applications: what is told, and how it ends."""

import click
import pytest

from deployments.errors import NotReadyError
from serve_app.cli import rollout
from serve_app.cli.rollout import wait_until_running


def application(status, message="", **deployments):
    told = {name: {"status": s, "message": f"why {s}"} for name, s in deployments.items()}
    return {"pose": {"status": status, "message": message, "deployments": told}}


@pytest.fixture
def follow(monkeypatch):
    """Follows states one after the other, the last for ever."""
    monkeypatch.setattr(rollout, "_POLL_S", 0.0)

    def followed(*states, timeout_s=None):
        left = list(states)
        wait_until_running(lambda: left.pop(0) if len(left) > 1 else left[0], timeout_s)

    return followed


def test_changes_are_told_once_until_all_run(follow, capsys):
    starting = application("DEPLOYING", Decode="UPDATING", Render="HEALTHY")
    follow({}, starting, starting, application("RUNNING", Decode="HEALTHY"))
    told = capsys.readouterr().err.split("\n")
    assert told == ["pose: DEPLOYING, Decode UPDATING", "pose: RUNNING", ""]


def test_a_failure_ends_it_with_every_reason(follow, capsys):
    failed = application("DEPLOY_FAILED", "no build", Decode="UNHEALTHY")
    with pytest.raises(click.exceptions.Exit) as ended:
        follow(application("DEPLOYING"), failed)
    assert ended.value.exit_code == 1
    assert "no build\nDecode: why UNHEALTHY" in capsys.readouterr().err


def test_what_does_not_come_in_time_is_told_with_its_state(follow):
    with pytest.raises(NotReadyError, match=r"not running after 0\.05 s: pose: DEPLOYING"):
        follow(application("DEPLOYING"), timeout_s=0.05)
