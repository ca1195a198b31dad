"""Flags of the command line: they are the options of the request."""

import click
import pytest
from click.testing import CliRunner

from biomech.config import Camera, Context, Subject
from deployments.athlete_choice import AthletePoint
from deployments.errors import BadParameterError
from deployments.media_choice import MediaOptions, Region
from serve_app.cli.analysis_flags import analysis_flags, options_of
from serve_app.cli.analyze import analyze
from serve_app.cli.demo import demo
from serve_app.results.response_schema import CameraOptions, PoseOptions, SubjectOptions

SAID = {
    "--confidence": "0.4", "--model": "hrnet", "--people": "all", "--movement": "jump",
    "--cutoff-hz": "8", "--height-m": "1.75", "--sex": "female", "--involved-side": "left",
    "--roll-deg": "-2.5", "--slowmo-factor": "4",
}  # fmt: skip


def _command(requests=None):
    requests = [] if requests is None else requests

    @click.command()
    @analysis_flags
    def command(**flags):
        requests.append(options_of(flags, video=False))

    return command


def asked(*arguments):
    """The request that these arguments ask for, or what is printed instead."""
    requests = []
    done = CliRunner().invoke(_command(requests), arguments)
    return requests[0] if requests else done.output


def test_nothing_said_is_the_request_of_the_interface():
    assert asked().context == Context()
    assert asked().model_dump(exclude={"subject", "camera"}) == PoseOptions(video=False).model_dump(
        exclude={"subject", "camera"}
    )


def test_everything_said_is_asked_for():
    request = asked(*(word for pair in SAID.items() for word in pair))
    assert request.context == Context(
        "jump", 8.0, Subject(1.75, "female", "left"), Camera(-2.5, 4.0)
    )
    assert (request.confidence, request.model, request.people) == (0.4, "hrnet", "all")
    assert not request.video


@pytest.mark.parametrize(
    ("words", "shown", "rule"),
    [
        (["--people", "4"], 4, "prominent"),
        (["--athlete", "longest"], 1, "longest"),
        (["--athlete", '{"x": 3, "y": 4, "time": 1}'], 1, AthletePoint(3, 4, time_s=1)),
    ],
)
def test_who_is_analyzed_is_asked_for(words, shown, rule):
    request = asked(*words)
    assert (request.people_in_frames, request.athlete_choice) == (shown, rule)


def test_what_is_analyzed_of_a_video_is_asked_for():
    request = asked(
        *("--start", "1.5", "--end", "3", "--max-fps", "60", "--rotation", "270"),
        *("--region", "10", "20", "300", "400"),
    )
    assert request.media == MediaOptions(1.5, 3.0, 60.0, 270)
    assert request.detection_region == Region(10, 20, 300, 400)


@pytest.mark.parametrize("command", [analyze, demo], ids=["analyze", "demo"])
def test_every_option_of_the_request_that_changes_the_numbers_has_a_flag(command):
    fields = {
        *PoseOptions.model_fields.keys()
        - {"video", "data", "frames", "fields", "subject", "camera"},
        *SubjectOptions.model_fields,
        *CameraOptions.model_fields,
    }
    assert {name.removeprefix("--").replace("-", "_") for name in SAID} <= fields
    assert fields <= {parameter.name for parameter in command.params}


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--confidence", "1.1", "0<=x<=1"),
        ("--movement", "dance", "throw"),
        ("--cutoff-hz", "0", "0.1<=x<=1000"),
        ("--height-m", "175", "0.4<=x<=2.8"),
        ("--sex", "f", "female"),
        ("--involved-side", "both", "left"),
        ("--roll-deg", "91", "-90<=x<=90"),
        ("--slowmo-factor", "0", "0.01<=x<=100"),
        ("--slowmo-factor", "slow", "not a valid float"),
        ("--start", "-1", "0<=x<=1000000"),
        ("--max-fps", "0", "0.1<=x<=1000"),
        ("--rotation", "45", "270"),
    ],
)
def test_a_value_out_of_bounds_is_told_with_them(flag, value, says):
    told = asked(flag, value)
    assert flag in told
    assert says in told


@pytest.mark.parametrize("flag", ["--start", "--cutoff-hz"])
def test_what_is_no_number_is_refused_by_its_name(flag):
    with pytest.raises(BadParameterError, match=flag.removeprefix("--").replace("-", "_")):
        CliRunner().invoke(_command(), [flag, "nan"], catch_exceptions=False)


def test_help_tells_what_a_flag_means_and_what_holds_without_it():
    told = " ".join(asked("--help").split())
    assert "--slowmo-factor FLOAT RANGE Seconds of the video for one of the world." in told
    assert "[default: 1.0; 0.01<=x<=100]" in told
