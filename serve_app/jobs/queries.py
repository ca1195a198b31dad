"""Select jobs: by id and holder, and in the order in which workers claim them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, select

from serve_app.jobs.job import JobState
from serve_app.jobs.tables import jobs

_RECENT: Final = 20  # succeeded jobs whose mean time is that of the queue
_C: Final = jobs.c


def is_job(job_id: str, owner: str | None) -> ColumnElement[bool]:
    """Return whether a row is this job of this owner; an owner of None is any."""
    same = _C.id == job_id
    return same if owner is None else and_(same, _C.owner == owner)


def held_by(job_id: str, worker: str) -> ColumnElement[bool]:
    """Return whether a row is this job, which this worker runs."""
    return and_(_C.id == job_id, _C.state == JobState.RUNNING, _C.worker == worker)


def lost(now: float) -> Select[Any]:
    """Select the place of the oldest running job whose lease is over."""
    return (
        select(_C.place)
        .where(_C.state == JobState.RUNNING, _C.lease_until <= now)
        .order_by(_C.place)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def next_queued() -> Select[Any]:
    """Select the place of the oldest queued job of the owner with the fewest running ones."""
    running = _running_by_owner()
    return (
        select(_C.place)
        .outerjoin_from(jobs, running, running.c.owner == _C.owner)
        .where(_C.state == JobState.QUEUED)
        .order_by(func.coalesce(running.c.running, 0), _C.place)
        .limit(1)
        .with_for_update(skip_locked=True, of=jobs)
    )


def positions_of(job_ids: Sequence[str]) -> Select[Any]:
    """Select ids and places of jobs in the queue: in every round, each owner's next job."""
    running = _running_by_owner()
    queued = (
        select(
            _C.id,
            _C.place,
            (
                func.row_number().over(partition_by=_C.owner, order_by=_C.place)
                + func.coalesce(running.c.running, 0)
            ).label("turn"),
        )
        .outerjoin_from(jobs, running, running.c.owner == _C.owner)
        .where(_C.state == JobState.QUEUED)
        .subquery()
    )
    position = func.row_number().over(order_by=(queued.c.turn, queued.c.place))
    places = select(queued.c.id, position.label("position")).subquery()
    return select(places).where(places.c.id.in_(job_ids))


def mean_seconds() -> Select[Any]:
    """Select the mean seconds of the newest succeeded jobs; NULL before the first."""
    newest = (
        select((_C.ended_at - _C.started_at).label("seconds"))
        .where(_C.state == JobState.SUCCEEDED)
        .order_by(_C.ended_at.desc())
        .limit(_RECENT)
        .subquery()
    )
    return select(func.avg(newest.c.seconds))


def load() -> Select[Any]:
    """Select the counts of queued and running jobs and :func:`mean_seconds`."""
    state = _C.state
    return select(
        func.count().filter(state == JobState.QUEUED).label("queued"),
        func.count().filter(state == JobState.RUNNING).label("running"),
        mean_seconds().scalar_subquery().label("mean_s"),
    ).where(state.in_((JobState.QUEUED, JobState.RUNNING)))


def _running_by_owner() -> Subquery:
    return (
        select(_C.owner, func.count().label("running"))
        .where(_C.state == JobState.RUNNING)
        .group_by(_C.owner)
        .subquery()
    )
