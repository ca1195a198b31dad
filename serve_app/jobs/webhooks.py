"""Call the webhook of a job that has ended: signed, from rows, again with backoff.

The calls to make are rows of the database of jobs, written in the transaction that ends the job;
a restart loses none. The signature is that of Standard Webhooks (headers ``webhook-id``,
``webhook-timestamp`` and ``webhook-signature``), with a secret of the job's owner.
"""

import asyncio
import base64
import hmac
import json
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import httpx
from sqlalchemy import Row, and_, delete, select, update
from standardwebhooks import Webhook

from deployments.errors import (
    BadParameterError,
    ServiceError,
    SourceError,
    UnreachableError,
)
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_request import post
from deployments.fetch.media_source import parse_source
from serve_app.jobs.database import Database, whole
from serve_app.jobs.job import JobRecord, JobState
from serve_app.jobs.tables import jobs, webhooks

ATTEMPTS: Final = 9
"""Calls made before giving up, over about 30 hours."""
TIMEOUT_S: Final = 15.0
"""Longest time of one call."""

_FIRST_WAIT_S: Final = 5.0
_WAIT_FACTOR: Final = 4.0  # 5 s, 20 s, 80 s … 23 h
_AT_ONCE: Final = 8
_HELD_S: Final = 4 * TIMEOUT_S  # then another process calls: this one was killed
_POLL_S: Final = 2.0
_REDIRECTS: Final = range(300, 400)
_GONE: Final = 410  # the receiver wants no more

_log = logging.getLogger(__name__)


def webhook_body(job: JobRecord) -> str:
    """Return the JSON of an ended job: paths of this service, but no results and no secrets.

    ``timestamp`` is in RFC 3339, as Standard Webhooks has it; the times of the job are as in
    :class:`serve_app.results.job_schema.Job`.
    """
    path = f"/jobs/{job.id}"
    succeeded = job.state == JobState.SUCCEEDED
    return json.dumps(
        {
            "type": f"job.{job.state}",
            "timestamp": _utc(job.ended_at or 0.0).isoformat(timespec="seconds"),
            "data": {
                "id": job.id,
                "group": job.group,
                "state": job.state,
                "code": None if job.error is None else job.error.get("code"),
                "created_at": job.created_at,
                "started_at": job.started_at,
                "ended_at": job.ended_at,
                "expires_at": job.expires_at,
                "links": {
                    "self": path,
                    "result": f"{path}/result" if succeeded else None,
                    "video": f"{path}/video" if succeeded and job.video_url is not None else None,
                },
            },
        }
    )


def check_webhook_url(url: str) -> None:
    """Refuse an address that cannot be called, when a job is submitted.

    The addresses its host resolves to are judged at each call.

    Raises:
        BadParameterError: it is malformed, or neither http nor https.
    """
    try:
        is_web = isinstance(parse_source(url), httpx.URL)
    except SourceError as error:
        raise _bad_url(error.detail) from error
    if not is_web:
        raise _bad_url("The address is neither http nor https")


def _bad_url(detail: str) -> BadParameterError:
    return BadParameterError(
        f"webhook_url: {detail}",
        hint="Give an https address that takes POST requests.",
        field="webhook_url",
    )


class WebhookKeys:
    """Secrets of owners, derived from the service's own; one reveals no other.

    Args:
        secret: of all processes that call: :func:`serve_app.access.links.read_secret`.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def of(self, owner: str) -> str:
        """Return an owner's secret as libraries of Standard Webhooks take it."""
        derived = hmac.digest(self._secret, f"webhook\n{owner}".encode(), "sha256")
        return "whsec_" + base64.b64encode(derived).decode("ascii")


class WebhookSender:
    """Make the calls that are due; several processes may share the database."""

    def __init__(
        self,
        database: Database,
        keys: WebhookKeys,
        policy: AddressPolicy,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare to send.

        Args:
            policy: hosts that may be called.
            jitter: from 0 to 1, so that those who failed together do not come back together.
        """
        self.database = database
        self._keys = keys
        self._policy = policy
        self._clock = clock
        self._jitter = jitter

    async def keep_sending(self) -> None:
        """Make the calls as they fall due, until cancelled."""
        while True:
            try:
                await self.send_due()
            except Exception:  # the calls stay due
                _log.exception("webhooks could not be called")
            await asyncio.sleep(_POLL_S)

    async def send_due(self) -> int:
        """Make all calls that are due now; return how many were made."""
        made = 0
        while calls := await self._take():
            await asyncio.gather(*map(self._call, calls))
            made += len(calls)
        return made

    @whole
    async def _take(self) -> Sequence[Row[Any]]:
        """Take calls that are due, so that nobody else makes them meanwhile."""
        now = self._clock()
        due = webhooks.c.next_at <= now
        async with self.database.read() as connection:
            if await connection.scalar(select(webhooks.c.job_id).where(due).limit(1)) is None:
                return ()
        chosen = (
            select(webhooks.c.job_id)
            .where(due)
            .order_by(webhooks.c.next_at)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        async with self.database.write() as connection:
            ids = (await connection.scalars(chosen)).all()
            taken = await connection.execute(
                update(webhooks)
                .where(webhooks.c.job_id.in_(ids))
                .values(attempts=webhooks.c.attempts + 1, next_at=now + _HELD_S)
                .returning(webhooks)
            )
            calls: Sequence[Row[Any]] = taken.all()
        return calls

    async def _call(self, call: Row[Any]) -> None:
        await self._settle(call, *await self._problem(call))

    @whole
    async def _settle(self, call: Row[Any], problem: str | None, again: bool) -> None:
        """Delete a call that is made or given up, and say so in the job; else set its next time."""
        same = and_(webhooks.c.job_id == call.job_id, webhooks.c.attempts == call.attempts)
        now = self._clock()
        async with self.database.write() as connection:
            # The job first, as whoever deletes it does: no deadlock.
            await connection.execute(
                select(jobs.c.id).where(jobs.c.id == call.job_id).with_for_update()
            )
            if problem is not None and again and call.attempts < ATTEMPTS:
                wait_s = _FIRST_WAIT_S * _WAIT_FACTOR ** (call.attempts - 1)
                next_at = now + wait_s * (0.5 + self._jitter())
                await connection.execute(update(webhooks).where(same).values(next_at=next_at))
                return
            done = await connection.execute(delete(webhooks).where(same))
            if done.rowcount:
                outcome = (
                    {"webhook_delivered_at": now}
                    if problem is None
                    else {"webhook_error": f"Given up at call {call.attempts}: {problem}"}
                )
                await connection.execute(
                    update(jobs).where(jobs.c.id == call.job_id).values(**outcome)
                )

    async def _problem(self, call: Row[Any]) -> tuple[str | None, bool]:
        """Make one call; return what went wrong, None if nothing did, and whether to repeat it."""
        content = call.body.encode()
        now = _utc(self._clock())
        message = f"msg_{call.job_id}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(math.floor(now.timestamp())),
            "webhook-signature": Webhook(self._keys.of(call.owner)).sign(message, now, call.body),
        }
        send = partial(post, call.url, content, headers, self._policy, total_timeout_s=TIMEOUT_S)
        try:
            status = await asyncio.to_thread(send)
        except UnreachableError as error:
            return error.detail, True
        except ServiceError as error:
            return error.detail, False
        except Exception:  # else it would be due again for ever, and so would those taken with it
            _log.exception("the webhook of job %s could not be called", call.job_id)
            return "an unforeseen error; it was logged", True
        if 200 <= status < 300:
            return None, False
        if status in _REDIRECTS:
            return f"the receiver redirects (status {status}), which is not followed", False
        return f"the receiver answered with status {status}", status != _GONE


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
