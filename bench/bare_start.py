"""The floor for a cold start: the libraries that a run needs, and one durable commit. Started by cold_start.py."""

import sys

import click  # noqa: F401
import jinja2  # noqa: F401
import pydantic  # noqa: F401
import sqlalchemy
import yaml  # noqa: F401

engine = sqlalchemy.create_engine(f"sqlite:///{sys.argv[1]}")
with engine.connect() as connection:
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, state TEXT)",
        "INSERT INTO runs (state) VALUES ('SUCCESS')",
    ):
        connection.exec_driver_sql(statement)
    connection.commit()
