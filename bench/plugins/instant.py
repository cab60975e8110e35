"""A task that returns at once but may have an effect: it takes the whole way through claim, thread and finish."""

from engine.sdk import RunContext, Task


class Instant(Task, type="bench.Instant", effect="effect"):
    """Does nothing."""

    def run(self, ctx: RunContext) -> None:
        return None
