"""Read facts of a request that the middleware has put there."""

from fastapi import Request

from serve_app.access.caller import Caller


def owner_of(request: Request) -> str | None:
    """Return whose resources the request may read; None for anyone's, by a signed link."""
    return None if getattr(request.state, "by_link", False) else caller_of(request).id


def caller_of(request: Request) -> Caller:
    """Return who sent a request, as :mod:`serve_app.http.guard` found out."""
    caller: Caller = request.state.caller
    return caller
