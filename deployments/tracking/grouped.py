"""Group rows of a clip by track or identity.

Searching all rows for each group would take quadratic time, which is too long for clips in which
people come and go at every detection.
"""

from dataclasses import dataclass, field

import numpy as np

from deployments.messages import F64, I64
from deployments.tracking.person_table import ClipRows


@dataclass(frozen=True, slots=True)
class Grouped:
    """Rows sorted by group, then by time. A *place* is an index into this order.

    Attributes:
        rows: (m,) rows of the clip, without those of no group (-1). group: (m,), ascending.
        start: (g,) first place of each group. stop: (g,) place after the last.
    """

    rows: I64
    group: I64
    start: I64
    stop: I64
    _times: F64 = field(repr=False)
    _keys: I64 = field(repr=False)

    @staticmethod
    def of(rows: ClipRows, group: I64) -> "Grouped":
        """Group all rows by ``group`` (n,), consecutive numbers from 0, or -1 for no group."""
        order = np.argsort(group, kind="stable")
        order = order[np.searchsorted(group[order], 0) :]
        owner = group[order]
        count = int(owner[-1]) + 1 if len(owner) else 0
        edges = np.searchsorted(owner, np.arange(count + 1))
        times, rank = np.unique(rows.time_s, return_inverse=True)
        keys = owner * (len(times) + 1) + rank[order]
        return Grouped(order, owner, edges[:-1], edges[1:], times, keys)

    def __len__(self) -> int:
        return len(self.start)

    def place(self, group: I64, time_s: F64, *, after: bool = False) -> I64:
        """Return the first place (k,) in each group of a row at ``time_s`` (k,) or later.

        With ``after``, of a strictly later row. Without such a row, the place after the group.
        """
        rank = np.searchsorted(self._times, time_s, side="right" if after else "left")
        return np.searchsorted(self._keys, group * (len(self._times) + 1) + rank)

    def has(self, group: I64, time_s: F64) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return whether each group (k,) has a row at that time."""
        found: np.ndarray[tuple[int], np.dtype[np.bool_]] = self.place(
            group, time_s, after=True
        ) > self.place(group, time_s)
        return found


def expand_ranges(start: I64, stop: I64) -> tuple[I64, I64]:
    """Expand ranges from ``start`` (k,) up to ``stop``: (m,) whose, and the number."""
    count = np.maximum(stop - start, 0)
    owner = np.repeat(np.arange(len(start)), count)
    first = np.repeat(start - (np.cumsum(count) - count), count)
    return owner, np.arange(len(owner)) + first


def off_path(rows: ClipRows, some: I64, paths: Grouped, path: I64) -> F64:
    """Return the distance (k,) of rows from a path each, in body sizes.

    A path is linear in time between its rows, and constant before the first and after the last.
    """
    time = rows.time_s[some]
    behind = np.clip(paths.place(path, time, after=True), paths.start[path], paths.stop[path] - 1)
    ahead = np.clip(behind - 1, paths.start[path], None)
    a, b = paths.rows[ahead], paths.rows[behind]
    span = rows.time_s[b] - rows.time_s[a]
    part = np.divide(time - rows.time_s[a], span, out=np.zeros(len(some)), where=span > 0)
    way = rows.center[a] + (rows.center[b] - rows.center[a]) * np.clip(part, 0.0, 1.0)[:, None]
    off: F64 = np.hypot(*(rows.center[some] - way).T) / rows.size[some]
    return off
