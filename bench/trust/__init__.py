"""The trust harness: every row of the fault matrix, done to a real installation, and what came of it.

`python -m bench.trust` plays the rows; `docs/trust.md` is what it wrote. A row never takes a promise on trust: it does
the harm, then reads the database as the next engine would.
"""
