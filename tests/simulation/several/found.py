"""Seeds that meet what is seldom met. They are played for ever."""

FOUND = (62, 816, 997)
