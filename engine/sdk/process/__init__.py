"""Commands of this machine, run as part of an attempt: `running.run_process` starts one and sees it to its end.

    engine -- control pipe --> supervisor (supervisor.py) -- starts --> the command, and whatever that starts
           <-- status pipe --                                              |
           <------------------------- two spool files <--------------------+

Always true: nothing of a command runs before its supervisor is recorded; when `run_process` returns, and when the
engine dies, every process that came of it has been ended, wherever it has hidden.
"""
