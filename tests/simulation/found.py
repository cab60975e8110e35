"""Seeds that once broke a sentence, with what was wrong. They are played for ever."""

from __future__ import annotations

FOUND = (
    9,  # a task run of `finally` that a person changed came back after it had been removed
    57,  # a person could say that an execution was RETRIED, and then nothing fitted any more
    93,  # a person's request that did not fit moved something all the same
    161,  # what was kept of a loop that had been stopped was not what its task runs said
    165,  # a pause went on and ended while what ran `onPause` was still at work
    469,  # a pause was KILLED while what ran `onPause` was still at work
    795,  # an answer from outside ended an execution that a person held
    4561,  # a task failed while its execution was about to end, and waited for a retry that never came
    5637,
    1477,  # the round of a loop took a container with it that was still to be looked at
    5541,  # ending an execution that a person held wrote task runs that had not changed
)
