"""Webhooks: what is sent and signed, when again, and what the job says of it."""

import asyncio
import base64
import json

import pytest
from click.testing import CliRunner
from standardwebhooks import Webhook, WebhookVerificationError

from deployments.errors import BadParameterError
from deployments.fetch.addresses import AddressPolicy
from serve_app.access.keys import KeyFile
from serve_app.cli.main import main
from serve_app.jobs import webhooks
from serve_app.jobs.webhooks import ATTEMPTS, WebhookKeys, WebhookSender, check_webhook_url
from tests.support.job_tables import Clock, new_job, opened
from tests.support.loopback_server import Server, closed_port, reply

pytestmark = pytest.mark.anyio
LOCAL = AddressPolicy(frozenset({"127.0.0.1"}))
SECRET = "signature=0123456789"


@pytest.fixture
def keys():
    return WebhookKeys("5" * 64)


@pytest.fixture
def sender(store, keys, clock):
    return WebhookSender(store.database, keys, LOCAL, clock=clock, jitter=lambda: 0.5)


class Receiver:
    """An HTTP server that keeps the calls it gets, and answers with the next of the statuses."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.calls = []
        self.server = Server(self._answer)

    def _answer(self, connection, path):
        head = self.server.requests[-1]
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = b""
        while len(body) < int(headers["Content-Length"]):
            body += connection.recv(4096)
        self.calls.append((path, headers, body))
        reply(status=self.statuses.pop(0), Location="/elsewhere")(connection, path)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)


async def ended(store, url, **values):
    """A job that has succeeded and calls ``url``."""
    job = new_job(webhook_url=url, source=f"https://a.test/?{SECRET}", **values)
    await store.submit([job], max_queued=100)
    await store.claim("w1", 30)
    await store.succeed(job.id, "w1", result_bytes=7, video_url=f"/v?{SECRET}", keep_s=100)
    return job.id


async def test_a_job_that_ends_is_told_once_and_signed(store, sender, keys, monkeypatch, clock):
    monkeypatch.setattr("time.time", clock)
    with Receiver(200) as receiver:
        job_id = await ended(store, receiver.server.url("/hook?token=1"))
        job = await store.get(job_id, None)
        assert (job.webhook_delivered_at, job.webhook_error) == (None, None)
        assert await sender.send_due() == 1
        assert await sender.send_due() == 0
    ((path, headers, body),) = receiver.calls
    assert path == "/hook?token=1"
    assert headers["webhook-id"] == f"msg_{job_id}"
    assert int(headers["webhook-timestamp"]) == clock.now
    content = json.loads(body)
    assert content["type"] == "job.succeeded"
    assert content["timestamp"] == "1970-01-12T13:46:40+00:00"
    assert content["data"]["links"] == {
        "self": f"/jobs/{job_id}",
        "result": f"/jobs/{job_id}/result",
        "video": f"/jobs/{job_id}/video",
    }
    assert (content["data"]["id"], content["data"]["state"]) == (job_id, "succeeded")
    assert SECRET.encode() not in body
    job = await store.get(job_id, None)
    assert (job.webhook_delivered_at, job.webhook_error) == (clock.now, None)


def verify(secret, call):
    """Verify a call as a receiver does, with the clock of this machine."""
    _, headers, body = call
    return Webhook(secret).verify(body, headers)


async def test_the_receiver_verifies_with_the_secret_of_the_owner_alone(store, keys):
    sender = WebhookSender(store.database, keys, LOCAL)  # whose clock is the machine's
    with Receiver(200) as receiver:
        job_id = await ended(store, receiver.server.url(), owner="ann")
        await sender.send_due()
    (call,) = receiver.calls
    assert verify(keys.of("ann"), call)["data"]["id"] == job_id
    with pytest.raises(WebhookVerificationError):
        verify(keys.of("bob"), call)
    path, headers, body = call
    with pytest.raises(WebhookVerificationError):
        verify(keys.of("ann"), (path, headers, body.replace(b"succeeded", b"failed")))


async def test_every_end_is_told_and_nothing_before(store, sender):
    with Receiver(200, 200, 200) as receiver:
        url = receiver.server.url()
        jobs = [new_job(webhook_url=url) for _ in range(3)]
        await store.submit([*jobs, new_job()], max_queued=9)
        await store.claim("w1", 30)
        await store.claim("w2", 30)
        assert await sender.send_due() == 0
        await store.fail(jobs[0].id, "w1", {"code": "no_frames", "detail": SECRET}, 1)
        await store.cancelled(jobs[1].id, "w2", 1)
        await store.cancel(jobs[2].id, None, 1)
        assert await sender.send_due() == 3
    told = {}
    for _, _, body in receiver.calls:
        assert SECRET.encode() not in body
        data = json.loads(body)["data"]
        told[data["id"]] = data["state"], data["code"], data["links"]["result"]
    assert told == {
        jobs[0].id: ("failed", "no_frames", None),
        jobs[1].id: ("cancelled", None, None),
        jobs[2].id: ("cancelled", None, None),
    }


async def test_a_call_that_fails_is_repeated_ever_later(store, sender, clock):
    with Receiver(*[503] * 4, 404, 200) as receiver:
        job_id = await ended(store, receiver.server.url())
        assert await sender.send_due() == 1
        for wait_s in (5, 20, 80, 320, 1280):
            clock.now += wait_s - 1
            assert await sender.send_due() == 0
            clock.now += 1
            assert await sender.send_due() == 1
    assert (await store.get(job_id, None)).webhook_delivered_at == clock.now
    bodies = {body for _, _, body in receiver.calls}
    ids = {headers["webhook-id"] for _, headers, _ in receiver.calls}
    assert (len(receiver.calls), len(bodies), len(ids)) == (6, 1, 1)


async def test_a_restart_loses_no_call(store, keys, clock, jobs_url):
    with Receiver(503, 200) as receiver:
        job_id = await ended(store, receiver.server.url())
        await WebhookSender(store.database, keys, LOCAL, clock=clock).send_due()
        await store.close()
        clock.now += 3600
        async with opened(jobs_url, 1, clock) as (again,):
            assert await WebhookSender(again.database, keys, LOCAL, clock=clock).send_due() == 1
            assert (await again.get(job_id, None)).webhook_delivered_at == clock.now


async def test_a_call_whose_sender_was_killed_is_made_by_another(store, sender, clock):
    with Receiver(200) as receiver:
        await ended(store, receiver.server.url())
        assert len(await sender._take()) == 1  # and then the process dies
        assert await sender.send_due() == 0
        clock.now += 60
        assert await sender.send_due() == 1


async def test_it_is_given_up_with_the_reason_in_the_job(store, sender, clock):
    with closed_port() as port:
        job_id = await ended(store, f"http://127.0.0.1:{port}/hook?{SECRET}")
        made = 0
        for _ in range(2 * ATTEMPTS):
            made += await sender.send_due()
            clock.now += 100_000
    assert made == ATTEMPTS
    job = await store.get(job_id, None)
    assert job.webhook_delivered_at is None
    assert job.webhook_error.startswith(f"Given up at call {ATTEMPTS}: http://127.0.0.1:")
    assert "does not connect" in job.webhook_error
    assert SECRET not in job.webhook_error


@pytest.mark.parametrize(("status", "reason"), [(410, "status 410"), (302, "redirects")])
async def test_an_answer_that_is_final_ends_the_calls(store, sender, clock, status, reason):
    with Receiver(status) as receiver:
        job_id = await ended(store, receiver.server.url())
        await sender.send_due()
        clock.now += 100_000
        assert await sender.send_due() == 0
    assert len(receiver.calls) == 1
    assert reason in (await store.get(job_id, None)).webhook_error


async def test_a_private_address_is_refused_unless_allowed(store, keys, clock):
    with Receiver(200) as receiver:
        job_id = await ended(store, receiver.server.url())
        await WebhookSender(store.database, keys, AddressPolicy(), clock=clock).send_due()
        clock.now += 100_000
        await WebhookSender(store.database, keys, LOCAL, clock=clock).send_due()
        assert receiver.server.connections == 0
    assert "not a public web address" in (await store.get(job_id, None)).webhook_error


async def test_senders_of_several_processes_call_once(jobs_url, keys):
    clock = Clock()
    with Receiver(*[200] * 20) as receiver:
        async with opened(jobs_url, 4, clock) as stores:
            for _ in range(20):
                await ended(stores[0], receiver.server.url())
            senders = [WebhookSender(s.database, keys, LOCAL, clock=clock) for s in stores]
            made = await asyncio.gather(*(sender.send_due() for sender in senders))
    assert sum(made) == 20
    assert len({headers["webhook-id"] for _, headers, _ in receiver.calls}) == 20


async def test_an_unforeseen_error_is_given_up_and_holds_up_no_other(
    store, sender, clock, monkeypatch
):
    call = webhooks.post

    def post(url, *arguments, **options):
        if url.endswith("/odd"):
            raise ZeroDivisionError
        return call(url, *arguments, **options)

    monkeypatch.setattr(webhooks, "post", post)
    with Receiver(200) as receiver:
        odd = await ended(store, receiver.server.url("/odd"))
        other = await ended(store, receiver.server.url("/hook"))
        for _ in range(ATTEMPTS):
            await sender.send_due()
            clock.now += 1e6
    assert (await store.get(other, None)).webhook_delivered_at
    assert "unforeseen" in (await store.get(odd, None)).webhook_error


async def test_a_removed_job_is_not_told(store, sender):
    with Receiver(200) as receiver:
        job_id = await ended(store, receiver.server.url())
        await store.remove(job_id, None)
        assert await sender.send_due() == 0
    assert receiver.calls == []


async def test_sending_goes_on_after_a_failure(store, sender, monkeypatch, caplog):
    monkeypatch.setattr("serve_app.jobs.webhooks._POLL_S", 0.01)
    real, failures = sender.send_due, [OSError("broken")]

    async def fails_once():
        if failures:
            raise failures.pop()
        return await real()

    monkeypatch.setattr(sender, "send_due", fails_once)
    with Receiver(200) as receiver:
        job_id = await ended(store, receiver.server.url())
        task = asyncio.create_task(sender.keep_sending())
        async with asyncio.timeout(30):
            while (await store.get(job_id, None)).webhook_delivered_at is None:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
    assert "broken" in caplog.text


def test_each_owner_has_a_secret_of_32_bytes(keys):
    assert keys.of("ann") == WebhookKeys("5" * 64).of("ann")
    assert len({keys.of("ann"), keys.of("bob"), WebhookKeys("6" * 64).of("ann")}) == 3
    prefix, _, encoded = keys.of("ann").partition("_")
    assert (prefix, len(base64.b64decode(encoded))) == ("whsec", 32)


def test_the_operator_prints_the_secret_of_an_owner(tmp_path, monkeypatch):
    monkeypatch.delenv("MMPOSE_LINK_SECRET_FILE", raising=False)
    path = tmp_path / "link_secret"
    monkeypatch.delenv("MMPOSE_KEYS_FILE", raising=False)
    key, _ = KeyFile(tmp_path / "keys.json").add("ann")
    command, file = ["keys", "webhook-secret"], ["--keys-file", str(tmp_path / "keys.json")]
    told = CliRunner().invoke(main, [*command, key.owner, *file])
    assert (told.exit_code, told.stdout) == (0, WebhookKeys(path.read_text()).of(key.owner) + "\n")
    by_token = CliRunner().invoke(main, [*command, "oidc-1", *file])
    assert by_token.stdout == WebhookKeys(path.read_text()).of("oidc-1") + "\n"
    assert path.read_text() not in told.output
    other = CliRunner().invoke(main, ["keys", "webhook-secret", "--secret-file", str(path)])
    assert other.stdout == WebhookKeys(path.read_text()).of("") + "\n"


def test_a_secret_that_would_verify_nothing_is_not_printed(tmp_path, monkeypatch):
    monkeypatch.delenv("MMPOSE_KEYS_FILE", raising=False)
    key, _ = KeyFile(tmp_path / "keys.json").add("ann")
    command = ["keys", "webhook-secret"]
    file = ["--file", str(tmp_path / "keys.json")]
    named = CliRunner().invoke(main, [*command, "ann", *file])
    assert (named.exit_code, named.stdout) == (2, "")
    assert "keys list" in named.output
    homeless = CliRunner().invoke(main, [*command, key.owner])
    assert (homeless.exit_code, homeless.stdout) == (2, "")
    assert "MMPOSE_KEYS_FILE" in homeless.output


@pytest.mark.parametrize("url", ["gs://bucket/object", "ftp://a/", "nonsense", "http://a:b@c/"])
def test_an_address_that_cannot_be_called_is_refused(url):
    with pytest.raises(BadParameterError, match="webhook_url") as caught:
        check_webhook_url(url)
    assert caught.value.facts == {"field": "webhook_url"}


def test_an_address_that_can_be_called_is_taken():
    check_webhook_url("https://hook.test/jobs?token=1")
