"""Judging conditions: does it hold, for this execution, at this date? Pure: the answer follows from the subject."""

from engine.core.conditions.judgement import calls_out, holds, listener_applies, satisfied, which_apply
from engine.core.conditions.subject import Subject

__all__ = ["Subject", "calls_out", "holds", "listener_applies", "satisfied", "which_apply"]
