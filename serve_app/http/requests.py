"""Read facts of a request that the middleware has put there."""

from fastapi import Request

from serve_app.access.caller import Caller


def caller_of(request: Request) -> Caller:
    """Return who sent a request, as :mod:`serve_app.http.guard` found out."""
    caller: Caller = request.state.caller
    return caller
