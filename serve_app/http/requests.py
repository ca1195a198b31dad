"""Read facts of a request that the middleware has put there."""

from fastapi import Request

from serve_app.access.caller import ANONYMOUS, Caller


def caller_of(request: Request) -> Caller:
    """Return who sent a request; anonymous where nothing authenticates."""
    caller: Caller = getattr(request.state, "caller", ANONYMOUS)
    return caller
