"""Seeds that meet what is seldom met. They are played for ever."""

FOUND = (
    1027,  # a restart that the store refuses, in a flow with a limit
    3093,  # a kill while what it must reach is being retried
    4699,  # a flow that is restarted when it has ended, before its caller hears of that
    5430,  # an engine that dies before it has stored anything
    5924,
)
