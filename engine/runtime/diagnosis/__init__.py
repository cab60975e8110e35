"""Is all as it should be? Looks at a database, its files and this machine, and changes nothing.

What can be said of rows is said by pure functions over them (`histories`, `order`, `standing`); the rest is in
`machine` and `files`. `examination` goes through all of it, a page at a time.
"""
