"""Seeds that meet what is seldom met. They are played for ever.

A seed tells another story when the generator changes; then `bench/core_mutations.py` and the planted bugs tell which
ones are worth keeping.
"""

from __future__ import annotations

FOUND = (
    619,  # a failure that is allowed in a folder, and a restart
    380,  # an exit while a sibling fails, and a loop that is stopped between two tasks of a lane
    404,  # two claims of one task run
    1096,  # a due time that was given up
    1178,  # a task of `errors` that was killed
    1193,  # a crash after an exit, while a sibling is at work
    1241,  # two pauses at once
    1477,  # the round of a loop took a container with it that was still to be looked at
    1930,  # a folder that was lost with its engine
    2547,  # a crash while a person holds the execution
    2580,
    3758,  # a task kills the execution that a person holds
)
