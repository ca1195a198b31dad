"""Signed links: one path, for a time, by one secret."""

import time
from urllib.parse import urlsplit

import pytest

from deployments.errors import ConfigurationError
from serve_app.access.links import Links, read_secret, secret_path

PATH = "/videos/0a1b/" + "0" * 32 + ".mp4"
LINKS = Links("a" * 64, 60)


def query_of(link):
    return urlsplit(link).query


def test_a_link_opens_its_path_alone():
    link = LINKS.sign(PATH)
    assert urlsplit(link).path == PATH
    assert LINKS.check(PATH, query_of(link))
    assert not LINKS.check(PATH.replace("0a1b", "0a1c"), query_of(link))
    assert not Links("b" * 64, 60).check(PATH, query_of(link))


def test_a_link_ends(monkeypatch):
    query = query_of(LINKS.sign(PATH))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 59)
    assert LINKS.check(PATH, query)
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert not LINKS.check(PATH, query)


@pytest.mark.parametrize(
    "change",
    [
        lambda q: "",
        lambda q: q.replace("expires=", "expires=9"),
        lambda q: q.replace("expires=", "expires=+"),
        lambda q: q.partition("&")[0],
        lambda q: q.partition("&")[2],
        lambda q: q[:-1],
        lambda q: q + "&expires=99999999999",
        lambda q: q + "&signature=" + "0" * 64,
        lambda q: q.replace("signature=", "signature=%C3%A4"),
        lambda q: "expires=" + "9" * 5000 + "&signature=" + "0" * 64,
        lambda q: "&".join(["a=b"] * 2000),
        lambda q: q + "&x=" * 500_000,
    ],
)
def test_a_changed_link_opens_nothing(change):
    assert not LINKS.check(PATH, change(query_of(LINKS.sign(PATH))))


def test_the_secret_is_made_once_for_this_user_alone_and_is_the_same_for_all(tmp_path):
    path = secret_path(tmp_path / "access" / "keys.json")
    assert path == tmp_path / "access" / "link_secret"
    link = Links(read_secret(path), 60).sign(PATH)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Links(read_secret(path), 60).check(PATH, query_of(link))


def test_without_a_file_of_keys_the_secret_is_in_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert secret_path(None) == tmp_path / "mmpose-service" / "link_secret"


@pytest.mark.parametrize(
    ("name", "says"), [("short", "64 hexadecimal"), ("folder", "cannot be kept")]
)
def test_a_file_that_holds_no_secret_is_named(tmp_path, name, says):
    (tmp_path / "short").write_text("0" * 63)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigurationError, match=says) as refused:
        read_secret(tmp_path / name)
    assert refused.value.hint
