"""Bodies of requests: JSON, forms and files, and the ones that are refused."""

import pytest

from tests.support.asgi import problem_of

JSON = {"content-type": "application/json"}
PUNYCODE = "multipart/form-data; boundary=x; charset=punycode"


def form(*fields, boundary=b"x"):
    """A body of these fields."""
    parts = (
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name, value)
        for name, value in fields
    )
    return b"".join(parts) + b"--%b--\r\n" % boundary


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"{", JSON, "bad_parameter"),
        (b"\xff\xfe", JSON, "bad_parameter"),
        (b"{" + b" " * 70_000 + b"}", JSON, "too_large"),
        (b"a=b", {"content-type": "text/plain"}, "bad_parameter"),
        (b"", {}, "bad_parameter"),
        (b"--x", {"content-type": "multipart/form-data"}, "bad_parameter"),
        (b"--x\r\n", {"content-type": "multipart/form-data; boundary=x"}, "bad_parameter"),
    ],
    ids=["cut", "no utf-8", "long", "text", "empty", "no boundary", "cut form"],
)
def test_a_body_that_is_none_is_refused(http, content, headers, code):
    assert problem_of(http.post("/pose", content=content, headers=headers)).code == code


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"data": {"confidence": "0.3"}, "files": {"other": b"x"}}, "file"),
        ({"data": {"size": "3"}, "files": {"file": b"x"}}, "size"),
        ({"data": {"video_url": "http://x"}, "files": {"file": b"x"}}, "video_url"),
        ({"data": {"subject": "[" * 8000}, "files": {"file": b"x"}}, "subject"),
        ({"data": {"cutoff_hz": "1e-300"}, "files": {"file": b"x"}}, "cutoff_hz"),
        ({"data": {"camera": '{"roll_deg": true}'}, "files": {"file": b"x"}}, "camera.roll_deg"),
    ],
)
def test_a_wrong_form_is_refused_by_name(http, form, says):
    problem = problem_of(http.post("/pose", **form))
    assert problem.code == "bad_parameter"
    assert says in problem.detail


def test_an_upload_over_the_limit_is_refused_and_nothing_is_left(http, service):
    response = http.post("/pose", files={"file": b"x" * 3_200_000})
    assert problem_of(response).code == "too_large"
    assert response.status_code == 413
    assert list(service.settings.spool_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 415, "not_a_video"),
        (b"hello", 415, "not_a_video"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), 415, "not_a_video"),
        (b"#EXTM3U\nfile:///etc/passwd\n", 415, "not_a_video"),
        (b"\0\0\0\x18ftypisom" + bytes(100), 422, "truncated"),
    ],
    ids=["empty", "text", "picture", "playlist", "head alone"],
)
def test_an_upload_that_is_no_video_says_what_it_is(http, service, content, status, code):
    problem = problem_of(http.post("/pose", files={"file": content}))
    assert (problem.status, problem.code) == (status, code)
    assert list(service.settings.spool_dir.iterdir()) == []


@pytest.mark.parametrize(
    "kind",
    [
        PUNYCODE,
        'Multipart/Form-Data; CHARSET = "Punycode"; boundary=x',
        "multipart/form-data; boundary=x; charset*=utf-8''punycode",
        "multipart/form-data; boundary=x; charset*0=puny; charset*1=code",
        "multipart/form-data; boundary=x; charset=utf-8; charset=punycode",
        "multipart/form-data; boundary=x; charset=no-such",
        "multipart/form-data; boundary=x; charset=",
        "multipart/form-data; boundary=x; charset=utf-16",
        "multipart/form-data; boundary=x; a=" + "b" * 1000,
        "application/json; charset=punycode",
        "application/json; charset=utf-16",
    ],
)
def test_only_utf_8_is_read(http, kind):
    for path in ("/pose", "/export?format=csv"):
        response = http.post(path, content=b"", headers={"content-type": kind})
        assert problem_of(response).code == "bad_parameter"
        assert response.status_code == 422


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", '; charset="UTF-8"', "; Charset=utf8"])
def test_utf_8_may_be_named(http, charset):
    kind = f"multipart/form-data; boundary=x{charset}"
    response = http.post("/pose", content=form((b"size", b"3")), headers={"content-type": kind})
    assert "the form has no file" in problem_of(response).detail
    response = http.post(
        "/pose", content=b"{}", headers={"content-type": JSON["content-type"] + charset}
    )
    assert "video_url" in problem_of(response).detail


@pytest.mark.parametrize("name", [b"confidence", b"subject", b"no such"])
def test_a_field_is_a_few_kilobytes_at_most(http, name):
    body = form(*[(name, b"x" * 1_000_000)] * 2)
    response = http.post(
        "/pose", content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert "8KB" in problem_of(response).detail


@pytest.mark.parametrize("disposition", ["filename*=punycode''a", '"=?punycode?q?a?="; filename=a'])
def test_no_encoding_of_a_part_is_followed(http, disposition):
    """RFC 2231's and RFC 2047's names of charsets are text like any other."""
    head = f"--x\r\nContent-Disposition: form-data; name=file; {disposition}\r\n"
    part = "Content-Type: text/plain; charset=punycode\r\n\r\n" + "a-" * 2000
    body = (head + part + "\r\n--x--\r\n").encode()
    kind = {"content-type": "multipart/form-data; boundary=x"}
    problem = problem_of(http.post("/pose", content=body, headers=kind))
    assert problem.code in ("bad_parameter", "not_a_video")


def test_a_boundary_is_one_of_rfc_2046(http):
    for boundary in ("", "a" * 71, "a\u00e9", '"'):
        kind = {"content-type": f"multipart/form-data; boundary={boundary}".encode("latin-1")}
        assert "boundary" in problem_of(http.post("/pose", content=b"", headers=kind)).detail


def test_deep_json_in_a_field_is_a_bad_parameter(http):
    files = {"file": b"x"}
    response = http.post("/pose", files=files, data={"subject": "[" * 8000})
    assert "subject" in problem_of(response).detail
