"""Opening files that are no videos, or that try to make the reader open something else."""

import socket
import threading
from dataclasses import dataclass, field

import av
import pytest

from deployments.decode.probe import probe
from deployments.errors import MediaError, NotAVideoError
from deployments.media.open import open_media
from deployments.media.reader import video_stream
from tests.support.bad_media import BAD, bad, playlists
from tests.support.corpus import ROOMY, VIDEOS, video

LOCAL, REMOTE = "a local file", "an address"
SUFFIXES = [".mp4", ".m3u8", ".mpd", ".ffconcat", ".mov", ""]


@dataclass
class Sentinel:
    """A server on loopback that notes who comes and says nothing."""

    port: int = 0
    visitors: list[bytes] = field(default_factory=list)


@pytest.fixture
def sentinel():
    noted = Sentinel()
    with socket.create_server(("127.0.0.1", 0)) as server:
        noted.port = server.getsockname()[1]
        stop = threading.Event()

        def watch():
            server.settimeout(0.05)
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    noted.visitors.append(connection.recv(100))

        thread = threading.Thread(target=watch)
        thread.start()
        yield noted
        stop.set()
        thread.join()


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_whole_video_is_refused_for_what_it_is(name):
    with pytest.raises(MediaError) as caught:
        probe(bad(name), ROOMY)

    assert type(caught.value) is BAD[name].error
    assert str(bad(name).parent) not in caught.value.detail
    assert not caught.value.retryable


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("target", [LOCAL, REMOTE])
@pytest.mark.parametrize("kind", playlists(""))
def test_a_list_of_other_files_is_refused_and_nothing_in_it_contacted(
    tmp_path, sentinel, kind, target, suffix
):
    address = f"http://127.0.0.1:{sentinel.port}/clip.mp4"
    text = playlists(address if target is REMOTE else str(video("h264").path))[kind]
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(text)

    with pytest.raises(NotAVideoError):
        probe(path, ROOMY)

    assert sentinel.visitors == []


@pytest.mark.parametrize("name", ["h264", "mkv", "h264_avi"])
@pytest.mark.parametrize("kind", ["m3u8", "mpd", "ffconcat"])
def test_a_list_behind_the_beginning_of_a_video_is_not_followed(tmp_path, sentinel, name, kind):
    path = tmp_path / "clip.m3u8"
    head = video(name).path.read_bytes()[:64]
    path.write_bytes(head + b"\n" + playlists(f"http://127.0.0.1:{sentinel.port}/a.mp4")[kind])

    with pytest.raises(MediaError):
        probe(path, ROOMY)

    assert sentinel.visitors == []


def test_ffmpeg_left_alone_would_have_come(tmp_path, sentinel):
    """The sentinel does notice."""
    path = tmp_path / "clip.m3u8"
    path.write_bytes(playlists(f"http://127.0.0.1:{sentinel.port}/clip.ts")["m3u8"])

    with path.open("rb") as file, pytest.raises(av.error.FFmpegError):
        av.open(file)

    assert sentinel.visitors
    assert sentinel.visitors[0].startswith(b"GET /clip.ts")


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:{port}/a.mp4", "tcp://127.0.0.1:{port}", "rtmp://127.0.0.1:{port}/a"],
)
def test_an_address_is_no_path(sentinel, address):
    with pytest.raises(FileNotFoundError):
        open_media(address.format(port=sentinel.port))

    assert sentinel.visitors == []


@pytest.mark.parametrize("name", BAD)
def test_nothing_stays_open(open_files, name):
    with pytest.raises(MediaError):
        probe(bad(name), ROOMY)

    assert open_files() == []


def test_ffmpegs_messages_do_not_pass_through_the_interpreter():
    """A decoder's thread could wait for it for ever."""
    assert av.logging.get_level() is None


@pytest.mark.parametrize("name", VIDEOS)
def test_without_decoders_the_packets_are_the_same(name):
    def packets(trial):
        with open_media(video(name).path, trial=trial) as container:
            stream = video_stream(container)
            return [(p.pts, bytes(p)) for p in container.demux(stream) if p.size]

    assert packets("none") == packets("all") != []


@pytest.mark.parametrize(
    ("trial", "picture", "sound"),
    [("none", None, False), ("sound", None, True), ("all", "yuv420p", True)],
)
def test_only_what_is_tried_is_looked_at(trial, picture, sound):
    with open_media(video("mp3").path, trial=trial) as container:
        assert container.streams.video[0].codec_context.pix_fmt == picture
        assert (container.streams.audio[0].codec_context.format is not None) == sound
