"""How much an expression may cost. A flow's author can reach all of these numbers, so all of them are enforced."""

from __future__ import annotations

MAX_SOURCE = 256 * 1024  #: characters of one template
MAX_TOKENS = 12_000  #: tokens of one template: what compiles within a second
MAX_TEXT = 10 * 1024 * 1024  #: characters of one text, and of the output
MAX_BUILT = 64 * 1024 * 1024  #: characters built by one evaluation, all together; an element of a list counts as eight
MAX_ITEMS = 500_000  #: elements of a list that is built, and values in a printed one
MAX_WALKED = 200_000  #: values in a comparison, and in the text of a list or map that is joined
MAX_MATCHES = 200_000  #: places that one regular expression replaces or splits at
MAX_RANGE = 100_000  #: numbers in a range
MAX_NESTING = 60  #: parentheses, subscripts, operators and tags inside each other
MAX_HEIGHT = 90  #: levels of one expression's tree; Python itself stops at 200 parentheses
MAX_DEPTH = 100  #: macro calls, render() rounds, and levels of printed data
MAX_SECONDS = 0.6  #: processor time of one evaluation; a busy machine does not make a flow fail
JQ_SECONDS = 0.8  #: processor time of one jq program that is more than a path
SMALL_SOURCE = 4096  #: characters of a template that counts as small
COMPILED = 2048  #: small templates kept compiled
COMPILED_LARGE = 32  #: larger ones
