"""API keys: who has one, how they rotate, and what the file and the command show."""

import hmac
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from deployments.errors import BadParameterError, ConfigurationError, NotReadyError
from serve_app.access.caller import Quota
from serve_app.access.keys import KeyFile
from serve_app.cli.main import main


@pytest.fixture
def path(tmp_path):
    return tmp_path / "access" / "keys.json"


def test_a_key_is_its_owners_and_its_secret_is_stored_nowhere(path):
    key, presented = KeyFile(path).add("lab", quota=Quota(requests_a_minute=9))
    key_id, _, secret = presented.partition(".")
    assert len(secret) >= 43  # of 256 bits
    assert secret not in path.read_text()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    caller = KeyFile(path).caller(presented)
    assert (caller.id, caller.name) == (key_id, "lab") == (key.owner, key.name)
    assert caller.quota.requests_a_minute == 9


@pytest.mark.parametrize(
    "change",
    [
        lambda key: "",
        lambda key: key.partition(".")[0],
        lambda key: key + "x",
        lambda key: key[:-1],
        lambda key: key.replace(".", ".."),
        lambda key: "0" * 16 + "." + key.partition(".")[2],
        lambda key: key.partition(".")[0] + "." + "A" * 43,
        lambda key: key + "\n",
        lambda key: " " + key,
        lambda key: key + "ä",
    ],
)
def test_what_is_no_key_is_nobodys_and_takes_a_comparison_all_the_same(path, change, monkeypatch):
    file = KeyFile(path)
    presented = change(file.add("lab")[1])
    compared, compare = [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(a) or compare(a, b))
    assert file.caller(presented) is None
    assert len(compared) == 1


def test_keys_rotate_without_a_restart(path):
    admin, running = KeyFile(path), KeyFile(path)
    old, presented = admin.add("lab")
    assert running.caller(presented).id == old.id
    _, newer = admin.add("lab", replaces=old.id)
    assert running.caller(newer).id == old.id  # its results and videos are still its own
    assert admin.revoke(old.id).revoked is not None
    assert running.caller(presented) is None
    assert running.caller(newer).id == old.id
    assert admin.revoke(old.id).revoked == admin.all()[0].revoked


def test_a_new_key_keeps_the_limits_of_the_old_one(path):
    file = KeyFile(path)
    old, _ = file.add("lab", quota=Quota(queued_jobs=5))
    same, _ = file.add("lab", replaces=old.id)
    other, _ = file.add("lab", replaces=old.id, quota=Quota(queued_jobs=9))
    assert (same.quota, other.quota) == (Quota(queued_jobs=5), Quota(queued_jobs=9))


def test_a_key_ends_when_it_expires(path):
    file, end = KeyFile(path), datetime.now(UTC) + timedelta(hours=1)
    _, presented = file.add("lab", expires=end)
    assert file.caller(presented, end - timedelta(seconds=1)) is not None
    assert file.caller(presented, end) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ('{"keys": [{"id": "a", "secret": "hunter2-hunter2"}]}', "keys.0"),
        ('{"keys": [], "more": 1}', "more"),
        ("[]", "keys.json"),
    ],
)
def test_a_file_that_cannot_be_read_lets_nobody_in_until_it_is_mended(path, text, says, caplog):
    file = KeyFile(path)
    _, presented = file.add("lab")
    good = path.read_text()
    assert file.caller(presented)
    path.write_text(text)
    for _ in range(2):
        with pytest.raises(NotReadyError) as refused:
            file.caller(presented)
        assert str(path) not in refused.value.detail
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert says in line
    assert "hunter2" not in line
    with pytest.raises(ConfigurationError, match=says):
        KeyFile(path).require_readable()
    path.write_text(good)
    assert file.caller(presented)


def test_an_absent_file_and_one_that_others_can_write_end_the_start(path):
    with pytest.raises(ConfigurationError, match="No such file") as absent:
        KeyFile(path).require_readable()
    assert "mmpose-service keys add" in absent.value.hint
    KeyFile(path).add("lab")
    KeyFile(path).require_readable()
    path.chmod(0o620)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        KeyFile(path).require_readable()


def test_two_keys_with_one_id_are_refused(path):
    KeyFile(path).add("lab")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({"keys": document["keys"] * 2}))
    with pytest.raises(ConfigurationError, match="id of another"):
        KeyFile(path).all()


def test_all_that_are_added_at_once_are_kept_and_a_link_stays_one(path, tmp_path):
    KeyFile(path).add("first")
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: KeyFile(link).add(f"lab {i}")[1], range(16)))
    assert link.is_symlink()
    assert all(KeyFile(path).caller(presented) for presented in made)
    assert len(KeyFile(path).all()) == 17


@pytest.mark.parametrize("call", ["revoke", "replaces"])
def test_an_unknown_key_is_named(path, call):
    file = KeyFile(path)
    file.add("lab")
    with pytest.raises(BadParameterError, match="there is no key abc"):
        file.revoke("abc") if call == "revoke" else file.add("x", replaces="abc")
    assert len(file.all()) == 1


def test_the_command_shows_a_secret_once(path, monkeypatch):
    monkeypatch.setenv("MMPOSE_KEYS_FILE", str(path))

    def keys(*arguments):
        return CliRunner().invoke(main, ["keys", *arguments])

    added = keys("add", "lab", "--days", "30", "--requests-a-minute", "60", "--queued-jobs", "5")
    assert added.exit_code == 0, added.output
    presented = added.stdout.strip()
    caller = KeyFile(path).caller(presented)
    assert caller.quota == Quota(requests_a_minute=60, queued_jobs=5)
    later = datetime.now(UTC) + timedelta(days=30, seconds=1)
    assert KeyFile(path).caller(presented, later) is None
    monkeypatch.setenv("COLUMNS", "200")
    listed = keys("list").stdout
    assert all(text in listed for text in (caller.id, "lab", "valid", "60 requests a minute"))
    assert presented.partition(".")[2] not in listed
    monkeypatch.setenv("COLUMNS", "80")
    assert keys("list").stdout.count(caller.id) == 2  # as id and owner, on one line to copy
    monkeypatch.setenv("COLUMNS", "200")
    assert keys("revoke", caller.id).exit_code == 0
    assert "revoked" in keys("list").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "lab", "--requests-a-minute", "0"), "requests_a_minute"),
        (("add", ""), "name"),
        (("revoke", "abc"), "there is no key abc"),
        (("list", "--file", "/proc/none/keys.json", "x"), "unexpected extra argument"),
        (("add", "lab", "--file", "/proc/none/keys.json"), "cannot be written"),
    ],
)
def test_wrong_use_of_the_command_ends_with_2_and_says_why(path, arguments, says, monkeypatch):
    monkeypatch.setenv("MMPOSE_KEYS_FILE", str(path))
    KeyFile(path).add("first")
    done = CliRunner().invoke(main, ["keys", *arguments])
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(KeyFile(path).all()) == 1


def test_without_a_file_the_command_names_the_setting(monkeypatch):
    monkeypatch.delenv("MMPOSE_KEYS_FILE", raising=False)
    done = CliRunner().invoke(main, ["keys", "list"])
    assert done.exit_code == 2
    assert "MMPOSE_KEYS_FILE" in done.stderr


def test_a_new_file_replaces_the_old_one_whole(path, monkeypatch):
    file = KeyFile(path)
    _, presented = file.add("lab")
    monkeypatch.setattr(os, "fsync", lambda _handle: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(ConfigurationError, match="full"):
        file.add("another")
    assert KeyFile(path).caller(presented)
    assert sorted(p.name for p in path.parent.iterdir()) == [".keys.json.lock", "keys.json"]
