"""Whether something that happened starts a flow: an execution of another flow, a call, an answer from the web.

Pure: instants come as arguments, and what a Flow trigger remembers goes in and comes out.
"""

from engine.core.triggering.calls import body_of, called
from engine.core.triggering.judgement import judge
from engine.core.triggering.memory import Memory, Satisfied
from engine.core.triggering.responses import Response, responds
from engine.core.triggering.rules import stops_after
from engine.core.triggering.verdict import Verdict
from engine.core.triggering.windows import Span, span_at

__all__ = [
    "Memory",
    "Response",
    "Satisfied",
    "Span",
    "Verdict",
    "body_of",
    "called",
    "judge",
    "responds",
    "span_at",
    "stops_after",
]
