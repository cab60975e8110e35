"""A world of several executions that begin, wait for, stop, retry and queue behind each other.

The real loop plays here, with all that is in `engine.runtime` around it, on one thread: the store is in memory, the
clock is set by hand, and the threads of the workers are left out. A script in the loop's place would be a second loop,
and would have none of the bugs of the first.
"""
