"""The least rate of a transfer."""

from time import monotonic


class Pace:
    """Require a least number of bytes of a transfer in every window of time.

    What came quickly is no credit for a stall later.

    Attributes:
        end: moment by ``time.monotonic`` at which the transfer is too slow, unless more comes.
    """

    def __init__(self, bytes_per_s: float, window_s: float) -> None:
        self._least, self._window_s = bytes_per_s * window_s, window_s
        self._renew()

    def came(self, size: int) -> None:
        """Count bytes; enough of them begin a new window."""
        self._missing -= size
        if self._missing <= 0:
            self._renew()

    @property
    def is_late(self) -> bool:
        """Return whether the window has ended."""
        return monotonic() > self.end

    def _renew(self) -> None:
        self.end = monotonic() + self._window_s
        self._missing = self._least
