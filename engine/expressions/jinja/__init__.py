"""Plain Jinja2, for flows that say `expressions: jinja2`: its own syntax and meaning, within the limits of this engine.

Jinja's sandbox keeps templates from Python's insides, and lets them take any amount of time and memory. What is here
closes that: only methods that stand in a list can be reached, and whatever walks over data or builds some is measured
first. Nothing outside `engine.expressions.language` imports this.
"""
