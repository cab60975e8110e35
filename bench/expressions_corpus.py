"""Compare the expression language with recorded answers of a real Pebble: `expressions_corpus.py FILE [--show N]`.

FILE is a JSON list of {template, context, pebble}, where pebble is `OK:<text>` or `ERR:<why>`. In it `secret()`
answers S, `kv()` K and `read()` R.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime

from engine.expressions import ExpressionError, Functions, render

FUNCTIONS = Functions(
    secret=lambda key, **_: "S",
    kv=lambda key, **_: "K",
    read=lambda path, **_: "R",
    now=lambda: datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    seed="corpus",
)


def answer(template: str, context: dict[str, object]) -> str:
    """What the engine says, in the words of the file."""
    try:
        return "OK:" + render(template, context, FUNCTIONS)
    except ExpressionError as error:
        return "ERR:" + error.message


def main() -> None:
    """Print how many answers agree, and those that do not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--show", type=int, default=50)
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        rows = json.load(file)
    start = time.perf_counter()
    found = [answer(row["template"], row["context"]) for row in rows]
    seconds = time.perf_counter() - start
    both = zip(rows, found, strict=True)
    different = [
        (row, text) for row, text in both if not (text == row["pebble"] or text[:4] == row["pebble"][:4] == "ERR:")
    ]
    for row, text in different[: options.show]:
        print(f"{row['template']!r}\n    here:   {text[:200]!r}\n    pebble: {row['pebble'][:200]!r}")
    print(f"{len(rows) - len(different)} of {len(rows)} agree, in {seconds:.2f} s")


if __name__ == "__main__":
    main()
