"""Ray's token: found in Ray's order, made once, and readable for its user alone."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployments.errors import ConfigurationError
from serve_app.ray_token import ensure_token, read_token, token_path


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_first_source_in_rays_order_wins(home, monkeypatch):
    assert read_token() is None
    own = write(home / ".config/mmpose-service/ray_auth_token", "own")
    assert (token_path(), read_token()) == (own, "own")
    write(home / ".ray/auth_token", "rays\n")
    assert read_token() == "rays"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(write(home / "named", "named")))
    assert read_token() == "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "itself")
    assert read_token() == "itself"


def test_one_is_made_where_there_is_none_and_kept(home, monkeypatch):
    path = ensure_token()
    token = read_token()
    assert path == home / ".config/mmpose-service/ray_auth_token"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert re.fullmatch("[0-9a-f]{64}", token)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH")
    assert ensure_token() == path
    assert read_token() == token
    assert list(path.parent.iterdir()) == [path]


def test_all_who_start_at_once_have_the_same(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "folder" / "token"))

    def token(_):
        ensure_token()
        return read_token()

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(token, range(64)))) == 1


@pytest.mark.parametrize("name", ["RAY_AUTH_TOKEN_PATH", ".ray/auth_token"])
def test_that_of_a_user_is_left_as_it_is(home, monkeypatch, name):
    path = write(home / name, "theirs")
    if name.isupper():
        monkeypatch.setenv(name, str(path))
    assert ensure_token() == path
    assert path.read_text() == "theirs"


def test_none_is_made_where_the_environment_has_it(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "itself")
    assert ensure_token() is None
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty", "is empty"),
        ("folder", "cannot be read"),
        ("link", "is a link to no file"),
        ("/proc/token", "cannot be kept"),
    ],
)
def test_a_file_that_cannot_have_a_token_is_named(home, monkeypatch, name, says):
    write(home / "empty", " \n")
    (home / "folder").mkdir()
    (home / "link").symlink_to(home / "gone" / "token")
    path = home / name  # an absolute name is a path by itself
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    with pytest.raises(ConfigurationError, match=says) as caught:
        ensure_token()
    assert str(path) in caught.value.detail
    assert caught.value.hint
