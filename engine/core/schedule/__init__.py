"""When triggers are due. Pure: instants come as arguments, time zones from the tz database."""

from engine.core.schedule.agenda import Agenda, agenda
from engine.core.schedule.fires import fires_after, fires_before, next_fire, previous_fire
from engine.core.schedule.preview import Effect, effect_of_next_change, upcoming
from engine.core.schedule.timetable import Due, Timetable
from engine.core.schedule.zones import YEARS, Change, next_change
from engine.model.cron import Cron

__all__ = [
    "YEARS",
    "Agenda",
    "Change",
    "Cron",
    "Due",
    "Effect",
    "Timetable",
    "agenda",
    "effect_of_next_change",
    "fires_after",
    "fires_before",
    "next_change",
    "next_fire",
    "previous_fire",
    "upcoming",
]
