"""A clock set by tests, for parameters `clock` and `sleep`."""


class Clock:
    """A monotonic clock that advances only when told to [s]."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Return at once, the seconds later."""
        self.now += seconds
