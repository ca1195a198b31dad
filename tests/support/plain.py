"""Functions whose records become the plain JSON values that the response has of them."""

import json
from functools import wraps

from biomech.records.values import as_json


def plain(records):
    """The JSON of a record, or of a list or mapping of records."""
    return json.loads(json.dumps(as_json(records)))


def in_json(function):
    """The same function, whose result is plain JSON values."""

    @wraps(function)
    def call(*args, **options):
        return plain(function(*args, **options))

    return call
