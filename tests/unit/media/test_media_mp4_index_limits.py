"""What the index of an MP4 may claim: as much as real videos, not what fills the memory."""

import struct
import zlib

import pytest

from deployments.decode.probe import probe
from deployments.errors import NotAVideoError, TooLargeError
from deployments.media import mp4_index_limits
from deployments.media.mp4_index_limits import MOST_SAMPLES, MOST_TRACKS, check_claims
from deployments.media.open import open_media
from tests.support.bad_media import box
from tests.support.corpus import ROOMY, VIDEOS, video


def full(*numbers):
    """Version, flags and 32-bit numbers."""
    return struct.pack(f">{1 + len(numbers)}I", 0, *numbers)


def handler(kind):
    return box(b"hdlr", full(0), kind, bytes(13))


def sizes(count, size=1):
    return box(b"stsz", full(size, count))


def times(*runs):
    return box(b"stts", full(len(runs)), *(struct.pack(">II", *run) for run in runs))


def track(*content, kind=b"vide", edits=1):
    edit = box(b"edts", box(b"elst", full(edits), bytes(12 * min(edits, 3))))
    return box(b"trak", edit, box(b"mdia", handler(kind), box(b"minf", box(b"stbl", *content))))


def runs(*counts):
    return box(b"moof", *(box(b"traf", box(b"trun", full(n))) for n in counts))


def written(tmp_path, *boxes):
    path = tmp_path / "claims.mp4"
    path.write_bytes(box(b"ftyp", b"isom" + bytes(4)) + b"".join(boxes))
    return path


HOUR = 3600
REAL = {
    "an hour of 60 a second": [
        track(times((HOUR * 60, 1)), sizes(HOUR * 60)),
        track(times((HOUR * 47, 1024)), sizes(HOUR * 47), kind=b"soun"),
    ],
    "uncompressed sound of ten hours": [
        track(times((HOUR * 480_000, 1)), sizes(HOUR * 480_000, 2), kind=b"soun", edits=2)
    ],
    "a telephone's tracks": [
        track(times((9000, 20)), sizes(9000), edits=2),
        *[track(times((9000, 20)), sizes(9000), kind=b"meta") for _ in range(MOST_TRACKS - 1)],
    ],
    "many edits of few pictures": [track(sizes(300), edits=1000)],
}
BOMBS = {
    "sizes": ([track(times((9, 9)), sizes(MOST_SAMPLES + 1))], "samples"),
    "small sizes": ([track(box(b"stz2", full(4, MOST_SAMPLES + 1)))], "samples"),
    "pictures as uncompressed sound": ([track(times((9, 1)), sizes(1 << 28))], "samples"),
    "sound that changes its pace": (
        [track(times((9, 1), (9, 2)), sizes(1 << 28), kind=b"soun")],
        "samples",
    ),
    "sound that is also pictures": (
        [track(handler(b"vide"), times((9, 1)), sizes(1 << 28), kind=b"soun")],
        "samples",
    ),
    "edits": ([track(sizes(5000), edits=1000)], "samples"),
    "many tracks together": ([track(sizes(MOST_SAMPLES // 9))] * 10, "samples"),
    "tracks": ([track(sizes(1))] * (MOST_TRACKS + 1), "tracks"),
    "nested where it does not belong": ([box(b"tref", box(b"dinf", sizes(1 << 28)))], "samples"),
}


@pytest.mark.parametrize("tracks", REAL.values(), ids=REAL)
def test_claims_of_real_videos_are_taken(tmp_path, tracks):
    check_claims(written(tmp_path, box(b"moov", *tracks)))


@pytest.mark.parametrize("name", VIDEOS)
def test_generated_videos_are_taken(name):
    check_claims(video(name).path)


@pytest.mark.parametrize("where", ["moov", "free", "trak"])
@pytest.mark.parametrize(("tracks", "quantity"), BOMBS.values(), ids=BOMBS)
def test_claims_of_bombs_are_refused(tmp_path, tracks, quantity, where):
    """In a box that is declared free, FFmpeg looks for an index too; tracks it takes anywhere."""
    index = box(b"moov", *tracks)
    path = written(
        tmp_path, {"moov": index, "free": box(b"free", index)}.get(where) or b"".join(tracks)
    )

    with pytest.raises(TooLargeError) as caught:
        check_claims(path)

    assert caught.value.facts["quantity"] == quantity
    assert caught.value.facts["value"] > caught.value.facts["limit"]


@pytest.mark.parametrize("counts", [(MOST_SAMPLES + 1,), (MOST_SAMPLES // 2, MOST_SAMPLES)])
def test_runs_of_samples_in_fragments_are_counted_together(tmp_path, counts):
    sound = track(times((9, 1)), sizes(0), kind=b"soun")
    index = box(b"moov", sound)
    check_claims(written(tmp_path, index, *(runs(n // 9) for n in counts)))

    for fragments in ([runs(*counts)], [runs(n) for n in counts]):
        with pytest.raises(TooLargeError):
            check_claims(written(tmp_path, index, *fragments))


def test_a_compressed_index_is_refused(tmp_path):
    content = zlib.compress(bytes(10**6))
    index = box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", full(), content)))

    with pytest.raises(NotAVideoError, match="compressed"):
        check_claims(written(tmp_path, index))


def test_names_in_the_media_data_are_not_claims(tmp_path):
    for kind in (b"mdat", b"free", b"skip"):
        data = box(kind, bytes(40), sizes(1 << 28), box(b"cmov"), b"trak" * 99)
        check_claims(written(tmp_path, data, box(b"moov", track(sizes(9)))))


@pytest.mark.parametrize(
    ("limit", "quantity"), [("_MOST_INDEX_BYTES", "bytes of index"), ("MOST_BOXES", "boxes")]
)
def test_a_long_index_is_refused_unread(tmp_path, monkeypatch, limit, quantity):
    path = written(tmp_path, *(box(b"moof", bytes(20)) for _ in range(50)))
    check_claims(path)
    monkeypatch.setattr(mp4_index_limits, limit, 50)
    mp4_index_limits._judge.cache_clear()

    with pytest.raises(TooLargeError) as caught:
        check_claims(path)

    assert caught.value.facts["quantity"] == quantity


def test_countless_boxes_within_the_index_are_refused(tmp_path, monkeypatch):
    path = written(tmp_path, box(b"moov", *[box(b"hdlr")] * 50))
    check_claims(path)
    monkeypatch.setattr(mp4_index_limits, "MOST_BOXES", 49)
    mp4_index_limits._judge.cache_clear()

    with pytest.raises(TooLargeError, match="boxes"):
        check_claims(path)


@pytest.mark.parametrize("end", range(8, 60, 5))
def test_claims_that_end_early_are_no_claims(tmp_path, end):
    whole = written(tmp_path, box(b"moov", track(sizes(9), times((9, 9))))).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[:-end])

    check_claims(path)


@pytest.mark.parametrize("field", ["stsz", "trun"])
def test_a_small_file_that_claims_much_is_refused_by_probing(tmp_path, field):
    """A valid video but for one number."""
    data = bytearray(video("faststart" if field == "stsz" else "fragmented").path.read_bytes())
    at = data.index(field.encode()) + (12 if field == "stsz" else 8)
    data[at : at + 4] = struct.pack(">I", 178_000_000)
    path = tmp_path / "claims.mp4"
    path.write_bytes(data)

    with pytest.raises(TooLargeError, match="samples"):
        probe(path, ROOMY)


def counted_judgements(monkeypatch):
    judged, walk = [], mp4_index_limits.boxes
    monkeypatch.setattr(mp4_index_limits, "boxes", lambda *args: judged.append(args) or walk(*args))
    return judged


def test_a_file_is_judged_once_however_often_it_is_opened(tmp_path, monkeypatch):
    judged = counted_judgements(monkeypatch)
    path = tmp_path / "many.mp4"
    path.write_bytes(video("mp3").path.read_bytes() + box(b"free") * 10_000)
    for _ in range(5):
        open_media(path).close()
    assert len(judged) == 1


def test_a_file_that_has_changed_is_judged_again(tmp_path, monkeypatch):
    judged = counted_judgements(monkeypatch)
    check_claims(written(tmp_path, box(b"moov", track(times((1, 1)), sizes(1)))))
    claim = track(times((1, 1)), sizes(MOST_SAMPLES + 1))
    bad = written(tmp_path, box(b"moov", claim), box(b"free"))
    for _ in range(2):
        with pytest.raises(TooLargeError):
            check_claims(bad)
    assert len(judged) == 3
