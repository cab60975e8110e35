"""Seeds that meet what is seldom met. They are played for ever.

A seed tells another story when the generator changes; then `bench/core_mutations.py` and the planted bugs tell which
ones are worth keeping.
"""

from __future__ import annotations

FOUND = (
    155,  # a task of `errors` that was killed
    164,  # a flow that has no place, and a crash
    177,  # something is left of an attempt that failed
    185,  # a folder that was lost when something had begun in it
    196,  # a killed round of a Loop that forgives failures
    203,  # a failure that lets another execution try again, and a restart
    209,  # a task that must not run again, and a crash
    217,  # a task that waits for executions is stopped
    225,  # a claim before its time
    241,  # something is left of a folder that was lost
    285,  # executions that take too long
    326,  # a kill of what is ending otherwise
    355,  # a Dag with a limit
    356,  # an answer to a question while a person holds the execution
    398,  # a Dag in a loop
    422,  # a crash while a task waits for executions
    432,  # a folder whose files nobody found
    597,  # a folder that gives files, after a warning
    620,  # an execution that a person makes begin
    758,  # a round that is the last of many
    849,  # an execution that was created to end
    942,  # a crash after an exit, while something is at work
    1096,  # a due time that was given up
    1585,  # a killed round that breaks its Loop
    1806,  # a crash while something is being killed
    1847,  # a failure after an exit
    2171,  # a loop that is stopped between two tasks of a lane
    2681,  # something is left of what was being killed
    3126,  # a pause that cancels, after the end
    3244,  # a folder that was lost when something had not begun in it
    5385,  # a crash while executions are being stopped
    5990,  # a folder in the `errors` of a folder, and a crash
    8654,  # a loop that ended early beside a restart
)
