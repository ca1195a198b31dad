"""The command line: what is written, what is printed where, exit codes."""

import csv
import errno
import json
import os
import shutil
import sys
from inspect import cleandoc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from serve_app.cli import analyze as analyze_module
from serve_app.cli.main import main
from serve_app.cli.output_files import names_of, replacing, run_id_of, shown
from serve_app.results.response_schema import PoseResponse
from serve_app.results.wide_csv import COLUMNS
from tests.conftest import SQUAT_FRAMES
from tests.support import markers
from tests.support.loopback_server import Server, reply


@pytest.fixture
def cli(marker_config, monkeypatch, tmp_path):
    """Runs a command with the marker networks, in a folder of its own."""
    monkeypatch.setenv("MMPOSE_CONFIG", str(marker_config))
    monkeypatch.setenv("MMPOSE_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_video_leaves_its_response_and_its_annotated_video(cli, squat_video, tmp_path):
    result = cli("analyze", squat_video, "--out", "results")
    assert result.exit_code == 0, result.output
    names = sorted(p.name for p in (tmp_path / "results").iterdir())
    assert names == ["squat.annotated.mp4", "squat.json"]
    response = PoseResponse.model_validate_json((tmp_path / "results/squat.json").read_text())
    assert response.data.processing_summary.successful_poses == SQUAT_FRAMES
    assert response.video_url == (tmp_path / "results/squat.annotated.mp4").as_uri()
    assert f"{SQUAT_FRAMES} of {SQUAT_FRAMES} frames" in result.stderr.replace("\n", " ")


def test_what_is_said_of_the_clip_is_in_the_response_and_the_summary_on_stdout(
    cli, squat_video, tmp_path
):
    said = ["--movement", "squat", "--cutoff-hz", "5", "--height-m", "1.8", "--roll-deg", "1"]
    result = cli("analyze", squat_video, "--no-video", "--out", ".", *said)
    assert result.exit_code == 0, result.output
    (told,) = json.loads((tmp_path / "squat.json").read_text())["data"]["biomechanics_summary"]
    assert told["movement"] == "squat"
    assert told["filter"]["cutoff_hz"] == 5
    assert told["config"]["cutoff_hz"] == 5
    assert (told["camera"]["roll_deg"], told["camera"]["roll_source"]) == (1, "request")
    view = told["view"]
    assert result.stdout.startswith(f"squat, person 1: {view} view, movement squat, smoothed")


def test_the_table_has_a_row_a_frame_with_the_numbers_of_the_response(cli, squat_video, tmp_path):
    assert cli("analyze", squat_video, "--no-video", "--csv", "--out", ".").exit_code == 0
    with (tmp_path / "squat.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["frame"]) for row in rows] == list(range(SQUAT_FRAMES))
    response = PoseResponse.model_validate_json((tmp_path / "squat.json").read_text())
    for row, frame in zip(rows, response.data.poses_per_frame, strict=True):
        assert float(row["left_knee_y"]) == frame.keypoints["left_knee"].y
        knee = frame.biomechanics.joint_angles["left_knee"]
        assert row["left_knee"] == ("" if knee is None else str(knee))
        assert float(row["box_x1"]) == frame.pose.box.x1
        assert (row["model"], row["primary"], row["reason"]) == ("Marker-Pose", "1", "")
    assert not (tmp_path / "squat.annotated.mp4").exists()


def test_missing_values_are_empty_cells_and_frames_without_a_pose_say_why(cli, tmp_path):
    poses = markers.squat(20)
    poses[:, 9] = np.nan  # a wrist that is never there
    poses[10:] = np.nan
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        video = markers.write_video(tmp_path / "v.mp4", poses)
    assert cli("analyze", video, "--no-video", "--csv", "--out", ".").exit_code == 0
    with (tmp_path / "v.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["left_elbow"] == ""
    assert rows[0]["right_elbow"] != ""
    assert rows[19]["reason"] == "nobody_found"
    assert rows[19]["nose_x"] == rows[19]["track_id"] == ""


def test_json_on_stdout_is_a_line_a_video_and_nothing_else(cli, squat_video, tmp_path):
    result = cli("analyze", squat_video, squat_video, "--no-video", "--json", "--out", "o")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [json.loads(line)["data"]["processing_summary"]["people"] for line in lines] == [1, 1]
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["squat-2.json", "squat.json"]


def test_an_address_is_fetched(cli, squat_video, tmp_path):
    with Server(reply(squat_video.read_bytes())) as server:
        result = cli("analyze", server.url("/a%20run.mp4?token=1"), "--no-video", "--out", "o")
    assert result.exit_code == 0, result.output
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["a%20run.json"]


def test_one_that_fails_is_told_and_does_not_stop_the_others(cli, squat_video, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    result = cli("analyze", "text.mp4", "missing.mp4", squat_video, "--no-video", "--out", "o")
    assert result.exit_code == 1
    assert "does not begin like" in result.stderr.replace("\n", " ")
    assert "there is no file missing.mp4" in result.stderr
    assert (tmp_path / "o/squat.json").is_file()


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a.mp4", "b/a.mp4", "c/a.webm", "b.mp4"], ["a", "a-2", "a-3", "b"]),
        (["https://x/y/run.mp4?sig=a.b", "gs://b/run.mov"], ["run", "run-2"]),
        (["https://x/"], ["x"]),
        ([" https://x/y/run.mp4"], ["run"]),
        ([os.fsdecode(b"caf\xe9.mp4")], ["caf\ufffd"]),
    ],
)
def test_results_are_named_after_their_sources_each_once(sources, names):
    assert names_of(sources) == names


def test_a_later_run_leaves_results_of_other_videos(cli, squat_video, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    for path in (tmp_path / "x.mp4", tmp_path / "x.mov", other / "x.mp4"):
        shutil.copy(squat_video, path)
    made = []
    for source in ("x.mp4", "x.mov", "elsewhere/x.mp4", "x.mov", str(tmp_path / "x.mp4")):
        before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "o").glob("*")}
        result = cli("analyze", source, "--no-video", "--out", "o")
        assert result.exit_code == 0, result.output
        after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "o").iterdir()}
        made += [name for name in after if after[name] != before.get(name)]
    # Each has a name of its own, which it keeps when it is analyzed again.
    assert made == ["x.json", "x-2.json", "x-3.json", "x-2.json", "x.json"]


def test_a_result_of_unknown_origin_is_kept(tmp_path):
    (tmp_path / "x.json").write_text('{"request_id":"cli"}')
    assert names_of(["x.mp4", "y.mp4"], tmp_path) == ["x-2", "y"]
    assert names_of(["x.mp4"], tmp_path / "none") == ["x"]


def test_long_names_are_cut_and_stay_apart():
    names = names_of([f"{'ä' * 124}{i}.mp4" for i in range(3)])
    assert len(set(names)) == 3
    assert max(len(f"{name}-9.annotated.mp4".encode()) for name in names) <= 255


@pytest.mark.parametrize("name", ["n" * 250 + ".mp4", os.fsdecode(b"caf\xe9.mp4")])
def test_a_name_that_is_long_or_no_text_is_analyzed_as_any_other(cli, squat_video, tmp_path, name):
    shutil.copy(squat_video, tmp_path / name)
    result = cli("analyze", name, squat_video, "--out", "o", "--csv")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "o").iterdir())) == 6
    (other,) = (p for p in (tmp_path / "o").glob("*.json") if p.name != "squat.json")
    made = cli("report", other)
    assert made.exit_code == 0, made.output
    assert cli("export", other, "--format", "csv").exit_code == 0


def test_a_full_disk_is_that_videos_error_and_leaves_nothing_behind(
    cli, squat_video, tmp_path, monkeypatch
):
    shutil.copy(squat_video, tmp_path / "full.mp4")
    write = analyze_module.write_csv

    def full(response, file):
        if Path("o/squat.json").exists():
            write(response, file)
        else:
            file.write("frame")
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(analyze_module, "write_csv", full)
    result = cli("analyze", "full.mp4", squat_video, "--out", "o", "--csv")
    assert result.exit_code == 1
    assert "full.mp4: the results cannot be written: No space left" in result.stderr
    assert list((tmp_path / "o").iterdir()) == []
    assert result.stderr.count("No space left") == 2  # the second was tried all the same


def test_a_file_is_replaced_only_by_a_whole_one(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail():
        with replacing(path) as partial:
            partial.write_text("new")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


def test_a_signature_is_not_shown():
    assert shown("https://u:p@x.org/a.mp4?X-Amz-Signature=secret#f") == "https://x.org/a.mp4"
    assert shown("run?.mp4") == "run?.mp4"


def test_a_signed_address_that_fails_is_not_printed_whole(cli):
    with Server(reply(status=404)) as server:
        result = cli("analyze", server.url("/a.mp4?signature=secret"), "--no-video")
    assert result.exit_code == 1
    assert "/a.mp4" in result.stderr
    assert "secret" not in result.output


def test_run_ids_of_other_letters_differ():
    ids = [
        run_id_of(Path(f"{n}.json")) for n in ("Müller", "Möller", "跑步", "跳高", "a b", "x" * 99)
    ]
    assert len(set(ids)) == 6
    assert ids[0].startswith("Muller-")
    assert ids[4] == "a_b"
    assert max(map(len, ids)) <= 64


def test_the_demo_draws_a_contact_sheet_and_prints_tables(cli, squat_video, tmp_path):
    import cv2

    result = cli("demo", squat_video, "--out", "demo")
    assert result.exit_code == 0, result.output
    assert f"{SQUAT_FRAMES} of {SQUAT_FRAMES}" in result.stdout
    assert "squat.mp4, person 1: " in result.stdout
    assert "left shoulder" in result.stdout
    names = {p.suffix for p in (tmp_path / "demo").iterdir()}
    assert names == {".json", ".csv", ".mp4", ".png"}
    sheet = cv2.imread(str(tmp_path / "demo/squat.png"))
    assert sheet.shape[1] > 1000
    orange = (np.abs(sheet.astype(int) - (0, 159, 230)).max(2) < 12).sum()
    assert orange > 500  # curves and limbs of the left side


def test_a_sheet_of_a_video_with_nobody_in_it(cli, tmp_path):
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        video = markers.write_video(tmp_path / "v.mp4", np.full((5, 17, 2), np.nan))
    result = cli("demo", video, "--out", "demo")
    assert result.exit_code == 0, result.output
    assert "0 of 5" in result.stdout
    assert (tmp_path / "demo/v.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["analyze"], {}, 2, "Missing argument"),
        (["analyze", "x.mp4", "--confidence", "2"], {}, 2, "confidence"),
        (["analyze", "x.mp4"], {"MMPOSE_BATCHSIZE": "3"}, 2, "MMPOSE_BATCH_SIZE is"),
        (["analyze", "x.mp4"], {"CONFIDENCE_THRESHOLD": "x"}, 2, "CONFIDENCE_THRESHOLD"),
        (["analyze", "x.mp4"], {"MMPOSE_CONFIG": "none.json"}, 2, "none.json"),
        (["models", "verify", "nothing"], {}, 2, "no model is called 'nothing'"),
        (["eval", "."], {}, 2, "is not a copy of COCO"),
        (["demo", "missing.mp4"], {}, 2, "missing.mp4"),
    ],
)
def test_wrong_use_ends_with_2_and_names_what_is_wrong(
    cli, monkeypatch, arguments, environment, code, says
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = cli(*arguments)
    assert result.exit_code == code
    assert says in result.stderr


def test_without_weights_it_ends_with_3_and_says_what_gets_them(cli, monkeypatch, tmp_path):
    entry = {"config": "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192", "role": "primary"}
    registry = {"service": "s", "version": "1", "models": {"rtmpose_medium": entry}}
    (tmp_path / "registry.json").write_text(json.dumps(registry))
    monkeypatch.setenv("MMPOSE_CONFIG", str(tmp_path / "registry.json"))
    result = cli("analyze", "x.mp4")
    assert result.exit_code == 3
    assert "63eb25f7_20230126.pth is in none of" in result.stderr
    assert "mmpose-service models download rtmpose_medium" in result.stderr


def test_models_are_listed_and_verified(cli):
    listed = cli("models", "list")
    assert listed.exit_code == 0
    assert "marker_pose" in listed.stdout.replace("\n", "")
    verified = cli("models", "verify", "marker_pose")
    assert verified.exit_code == 0
    assert verified.stdout.startswith("marker_pose: no digest known, sha256 ")


def test_a_damaged_model_is_told_and_ends_with_3(cli, marker_config, monkeypatch, tmp_path):
    registry = json.loads(marker_config.read_text())
    registry["models"]["marker_pose"]["sha256"] = "0" * 64
    (tmp_path / "registry.json").write_text(json.dumps(registry))
    monkeypatch.setenv("MMPOSE_CONFIG", str(tmp_path / "registry.json"))
    result = cli("models", "verify")
    assert result.exit_code == 3
    assert "marker_pose: damaged" in result.stdout
    assert "marker_detector: no digest known" in result.stdout


def test_a_wrong_serve_config_ends_check_and_deploy_with_2(cli, tmp_path):
    (tmp_path / "serve.yaml").write_text("applications: []\nproxy: 3\n")
    checked = cli("check", "serve.yaml")
    assert checked.exit_code == 2
    assert "proxy is not a key" in checked.stdout
    deployed = cli("deploy", "serve.yaml")
    assert deployed.exit_code == 2
    assert "proxy is not a key" in deployed.stderr


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"a: [", "it cannot be read"),
        (b"\xff\xfe", "it cannot be read"),
        (b"", "it is not a mapping"),
        (b"http_options:\napplications: []\n", "http_options"),
        (b"http_options: {host: 127.0.0.1, port: 0}\n", "applications"),
        (b"http_options: {host: 127.0.0.1, port: 0}\napplications: 3\n", "applications"),
    ],
)
def test_a_wrong_serve_config_ends_serve_before_ray_starts(cli, tmp_path, monkeypatch, text, named):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "one")
    monkeypatch.setattr("ray.init", None)
    (tmp_path / "serve.yaml").write_bytes(text)
    result = cli("serve", "serve.yaml")
    assert result.exit_code == 2, result.output
    assert "serve.yaml: " in result.stderr
    assert named in result.stderr


def test_the_accuracy_on_the_photographs_is_measured_beside_the_published_one(cli, labelled):
    result = cli("eval", labelled, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["images"], figures["people"], figures["published_ap"]) == (4, 12, None)
    assert figures["ap"] < 0.05  # a network that looks for colored discs finds no people


def test_every_command_is_found_under_its_name_and_listed(cli):
    names = main.list_commands(None)
    for name in names:
        deferred = main.get_command(None, name)
        command = deferred.make_context(name, [], resilient_parsing=True).command
        assert (command.name, cleandoc(command.help)) == (name, deferred.help)
    listed = cli("--help").output
    assert all(f"\n  {name} " in listed for name in names)
    unknown = cli("analyse")
    assert unknown.exit_code == 2
    assert "No such command 'analyse'" in unknown.stderr


def test_a_package_that_a_command_misses_as_it_runs_is_named(
    cli, squat_answer, tmp_path, monkeypatch
):
    (tmp_path / "run.json").write_text(json.dumps(squat_answer))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = cli("export", "run.json", "--format", "parquet")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: export needs packages that are not installed: pyarrow\n"
        "  Install them: pip install 'mmpose-service[results]'\n"
    )
    assert os.listdir() == ["run.json"]


def test_a_module_of_ours_that_is_missing_is_a_fault_and_no_matter_of_packages(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "serve_app.cli.export", None)
    with pytest.raises(ModuleNotFoundError, match="serve_app"):
        raise cli("export", "--help").exception


def test_a_port_that_is_taken_ends_serve_before_ray_starts(cli, tmp_path):
    with Server(reply(b"")) as server:
        port = server.port
        (tmp_path / "serve.yaml").write_text(
            f"http_options: {{host: 127.0.0.1, port: {port}}}\napplications: []\n"
        )
        result = cli("serve", "serve.yaml")
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} cannot be listened on" in result.stderr
