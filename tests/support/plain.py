"""Records as the plain JSON values that the response has of them."""

import json
from dataclasses import asdict
from functools import wraps


def plain(records):
    """The JSON of a record, or of a list or mapping of records."""
    return json.loads(json.dumps(records, default=asdict))


def in_json(function):
    """The same function, whose result is plain JSON values."""

    @wraps(function)
    def call(*args, **options):
        return plain(function(*args, **options))

    return call
