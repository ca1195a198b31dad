"""Decoding on a GPU: the pictures are those of software, whatever the GPU does."""

import pytest
from av.codec.hwaccel import HWAccel

from deployments.errors import MediaError
from deployments.media import hardware, reader
from deployments.media.open import open_media
from deployments.media.reader import read
from tests.support.corpus import VIDEOS, cut, probed

# FFmpeg decodes these kinds of streams by software where such a device is asked for.
NO_DEVICE = HWAccel("drm", allow_software_fallback=True)


def contents(pictures):
    return [(p.index, p.pts, p.y.tobytes(), p.u.tobytes(), p.v.tobytes()) for p in pictures]


@pytest.fixture
def devices(monkeypatch):
    """The devices that files are opened with, in turn."""
    asked = []

    def opened(*args, **kwargs):
        asked.append(kwargs.get("hardware"))
        return open_media(*args, **kwargs)

    monkeypatch.setattr(reader, "open_media", opened)
    return asked


@pytest.mark.skipif(hardware.decoder() is None, reason="there is no GPU that decodes here")
@pytest.mark.parametrize("name", VIDEOS)
def test_a_gpu_decodes_the_pictures_of_software(name):
    segment = cut(probed(name))

    assert contents(read(segment, in_hardware=True)) == contents(read(segment))


@pytest.mark.parametrize("name", VIDEOS)
def test_what_the_device_decodes_is_not_decoded_again(name, devices, monkeypatch):
    segment = cut(probed(name))
    expected = contents(read(segment))
    devices.clear()
    monkeypatch.setattr(hardware, "decoder", lambda: NO_DEVICE)

    assert contents(read(segment, in_hardware=True)) == expected
    assert devices == [NO_DEVICE]


@pytest.mark.skipif(hardware.decoder() is not None, reason="there is a GPU here")
def test_software_decodes_where_the_device_does_not_open(devices, monkeypatch):
    gone = HWAccel("cuda", allow_software_fallback=True)
    monkeypatch.setattr(hardware, "decoder", lambda: gone)
    segment = cut(probed("h264"))

    assert contents(read(segment, in_hardware=True)) == contents(read(segment))
    assert devices == [gone, None, None]


@pytest.mark.parametrize("failure", ["missing", "ends", "raises"])
@pytest.mark.parametrize("at", [0, 7])
def test_software_goes_on_where_the_device_fails(failure, at, devices, monkeypatch):
    """Each picture once, in order."""
    segment = cut(probed("h264"))
    expected = contents(read(segment))
    decode = reader._read

    def failing(segment, threads, device, cancelled):
        for i, picture in enumerate(decode(segment, threads, device, cancelled)):
            if device is not None and i == at:
                if failure == "raises":
                    raise MediaError("the GPU is gone")
                if failure == "ends":
                    return
                continue
            yield picture

    monkeypatch.setattr(reader, "_read", failing)
    monkeypatch.setattr(hardware, "decoder", lambda: NO_DEVICE)
    devices.clear()

    assert contents(read(segment, in_hardware=True)) == expected
    assert devices == [NO_DEVICE, None]


def test_the_file_is_closed_when_reading_is_given_up(open_files, monkeypatch):
    monkeypatch.setattr(hardware, "decoder", lambda: NO_DEVICE)
    pictures = read(cut(probed("h264")), in_hardware=True)
    next(pictures)
    assert open_files() == [probed("h264").path]

    pictures.close()

    assert open_files() == []
