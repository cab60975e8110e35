"""`penstock triggers`: what starts flows by itself, and when that will be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct, to_builtins

from engine.cli.commands import Group, open_engine, open_history
from engine.cli.terminal import dim, printable, relative_time, say_json, table
from engine.errors import PenstockError, UsageError

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.core.schedule import Due, Effect, Timetable
    from engine.model.flow import Flow
    from engine.model.listeners import Trigger
    from engine.model.scheduling import TriggerState
    from engine.ports import Store

_EFFECTS = {
    "none": "no date is affected",
    "moved": "{times} left out, and due once, when the gap ends",
    "passed over": "{times} left out, and passed over",
    "once": "{times} shown twice, and due the first time",
    "twice": "{times} shown twice, and due each time",
}


class Outlook(Struct, frozen=True, kw_only=True):
    """What is known of a trigger's future. Without a timetable it is not about dates, or has a `problem`."""

    flow: str
    id: str = ""
    type: str = ""
    disabled: bool = False
    state: TriggerState | None = None  #: how far the scheduler has come with it
    deployed: bool | None = None  #: None: of no account
    timetable: Timetable | None = None
    dues: Sequence[Due] = ()
    effect: Effect | None = None  #: of the next change of the clocks
    problem: str | None = None

    @property
    def searched_until(self) -> str | None:
        """Where a long search was given up."""
        last = self.dues[-1] if self.dues else None
        return self.timetable.shown(last.at) if self.timetable and last and not last.holds else None


@click.group(cls=Group)
def triggers() -> None:
    """Look at what starts flows by itself, and switch it on and off."""


@triggers.command("list")
@click.option("--namespace", "-n", help="Only flows of this namespace and those below it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_triggers(namespace: str | None, as_json: bool) -> None:
    """List the triggers of the stored flows."""
    with open_history() as store, open_engine() as engine:
        now = datetime.now(UTC)
        found = list(_listed(engine, store, namespace, now))
    if as_json:
        say_json([_as_json(outlook) for outlook in found])
    elif not found:
        click.echo(dim("No triggers. `penstock flows list` shows the stored flows."))
    else:
        rows = [
            (
                printable(one.flow),
                printable(one.id),
                one.type.rpartition(".")[2],
                printable(_next(one, now)),
                printable(_last(one, now)),
            )
            for one in found
        ]
        click.echo(table(("FLOW", "TRIGGER", "TYPE", "NEXT", "LAST"), rows))


def _listed(engine: Engine, store: Store, namespace: str | None, now: datetime) -> Iterator[Outlook]:
    """The triggers of each stored flow: of the revision that is deployed, or else of the newest one."""
    from msgspec.structs import replace

    from engine.model.scheduling import TriggerKey

    states = {state.key: state for state in store.trigger_states()}
    deployed = {(each.namespace, each.flow_id): each.revision for each in store.deployments()}
    for newest in store.flows(namespace):
        name, revision = f"{newest.namespace}/{newest.id}", deployed.get((newest.namespace, newest.id))
        record = store.flow(newest.namespace, newest.id, revision) if revision is not None else newest
        assert record is not None, "a flow keeps its revisions"
        try:
            flow = engine.parse(record.source, file=name, revision=record.revision)
        except PenstockError as error:
            yield Outlook(flow=name, problem=error.message.partition("\n")[0])
            continue
        for trigger in flow.triggers:
            state = states.get(TriggerKey(flow.namespace, flow.id, trigger.id))
            yield replace(_outlook(engine, flow, trigger, now, 1), state=state, deployed=revision is not None)


@triggers.command()
@click.argument("flow", metavar="FLOW.yaml | NAMESPACE/ID")
@click.option("--count", default=5, show_default=True, type=click.IntRange(1, 1000), help="How many dates to show.")
@click.option("--from", "start", metavar="INSTANT", help="Where to start, in ISO-8601; by default now.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, with one entry for each trigger.")
def preview(flow: str, count: int, start: str | None, as_json: bool) -> None:
    """Show the next dates of each trigger of a flow, and what happens when clocks are next set."""
    now = datetime.now(UTC)
    since = instant(start, "--from") if start is not None else now
    with open_engine() as engine:
        loaded = engine.load(flow)
        found = [_outlook(engine, loaded, trigger, since, count) for trigger in loaded.triggers]
    if as_json:
        say_json([_as_json(outlook) for outlook in found])
    elif not found:
        click.echo(dim(f"{loaded.namespace}/{loaded.id} has no triggers: people and other flows start it."))
    else:
        click.echo(printable("\n\n".join("\n".join(_paragraph(outlook, now)) for outlook in found)))


def instant(text: str, option: str) -> datetime:
    """An instant that was typed. Raises UsageError."""
    from engine.core.schedule import YEARS
    from engine.expressions.dates import moment_of

    try:
        moment = moment_of(text, UTC)
    except PenstockError:
        moment = None
    if moment is None or moment.year not in YEARS:
        raise UsageError(f"{option} {text} is not a date", hint="write it as 2026-05-06 or 2026-05-06T07:08:09Z")
    return moment.astimezone(UTC)


def _outlook(engine: Engine, flow: Flow, trigger: Trigger, start: datetime, count: int) -> Outlook:
    from engine.core.schedule import Timetable, effect_of_next_change, upcoming
    from engine.model.triggers import ForeignTrigger, TimedTrigger
    from engine.runtime.outside import Asker

    plain = Outlook(
        flow=f"{flow.namespace}/{flow.id}",
        id=trigger.id,
        type=trigger.type,
        disabled=trigger.disabled or flow.disabled,
    )
    from msgspec.structs import replace

    if isinstance(trigger, ForeignTrigger):
        return replace(plain, problem="this version does not run triggers of this type")
    if not isinstance(trigger, TimedTrigger):
        return plain
    asker = Asker(seed=trigger.id, namespace=flow.namespace, flow_id=flow.id)
    try:
        timetable = Timetable(flow, trigger, facts=engine.facts, functions=engine.outside.functions(asker))
        dues = upcoming(timetable, start, count)
    except PenstockError as error:
        return replace(plain, problem=error.message)
    return replace(plain, timetable=timetable, dues=dues, effect=effect_of_next_change(timetable, start))


def _as_json(outlook: Outlook) -> dict[str, Any]:
    state = outlook.state
    told: dict[str, Any] = {
        "flow": outlook.flow,
        "id": outlook.id,
        "type": outlook.type,
        "disabled": outlook.disabled or (state is not None and state.disabled),
    }
    if outlook.deployed is not None:
        told["deployed"] = outlook.deployed
    if state is not None:
        told |= {"next": state.next_at, "last": state.last_at, "executionId": state.execution_id}
        told["backfill"] = state.backfill and {**to_builtins(state.backfill), "date": state.backfill_at}
    problem = outlook.problem or (state.problem if state is not None else None)
    if problem is not None:
        told["problem"] = problem
    timetable, effect = outlook.timetable, outlook.effect
    if timetable is None:
        return told
    told |= {"cron": getattr(timetable.trigger, "cron", None), "timezone": str(timetable.zone)}
    told["dates"] = [{"date": timetable.shown(due.at), "problem": due.problem} for due in outlook.dues if due.holds]
    told["searchedUntil"] = outlook.searched_until
    told["clockChange"] = effect and {
        "date": timetable.shown(effect.change.at),
        "before": effect.change.before.isoformat(),
        "after": effect.change.after.isoformat(),
        "effect": effect.kind,
        "times": effect.times,
        "count": effect.count,
    }
    return told


def _next(outlook: Outlook, now: datetime) -> str:
    """The last column of the list."""
    if outlook.problem is not None:
        return click.style(outlook.problem, fg="red")
    if outlook.disabled or (outlook.state is not None and outlook.state.disabled):
        return dim("disabled")
    if not outlook.deployed:
        return dim("not deployed")
    if outlook.timetable is None:
        return dim("not by date")
    due = next((due for due in outlook.dues if due.holds), None)
    if due is None:
        return dim(f"not before {outlook.searched_until}" if outlook.searched_until else "never")
    return f"{outlook.timetable.shown(due.at)} {dim(relative_time(due.at, now))}"


def _last(outlook: Outlook, now: datetime) -> str:
    """What the scheduler has to say of it."""
    state = outlook.state
    if state is None:
        return ""
    if state.problem is not None:
        return click.style(state.problem, fg="yellow")
    if state.backfill is not None:
        done = state.backfill_at or state.backfill.start
        return f"backfill at {done.isoformat()}" + (dim(" paused") if state.backfill.paused else "")
    return relative_time(state.last_at, now) if state.last_at is not None else ""


def _paragraph(outlook: Outlook, now: datetime) -> Iterator[str]:
    """A trigger and its dates, as lines."""
    timetable = outlook.timetable
    about = [outlook.type.rpartition(".")[2]]
    if timetable is not None:
        about += [part for part in (getattr(timetable.trigger, "cron", None), str(timetable.zone)) if part]
    yield click.style(outlook.id, bold=True) + "  " + "  ".join(about) + (dim("  disabled") if outlook.disabled else "")
    if outlook.problem is not None:
        yield f"  {click.style(outlook.problem, fg='red')}"
    elif timetable is None:
        yield dim("  It is not about dates: something else starts it.")
    else:
        for due in outlook.dues:
            if due.holds:
                problem = click.style(f"  fails: {due.problem}", fg="red") if due.problem else ""
                yield f"  {timetable.shown(due.at)}  {dim(relative_time(due.at, now))}{problem}"
        if outlook.searched_until:
            yield dim(f"  Nothing else up to {outlook.searched_until}; the search ended there.")
        elif not outlook.dues:
            yield dim("  No date is ahead.")
        if outlook.effect is not None:
            yield f"  {_sentence(outlook.effect, timetable)}"


def _sentence(effect: Effect, timetable: Timetable) -> str:
    """What the next change of the clocks does."""
    change = effect.change
    way = "forward" if change.after > change.before else "back"
    more = f" and {effect.count - len(effect.times)} more" if effect.count > len(effect.times) else ""
    times = f"{', '.join(effect.times)}{more} {'are' if effect.count > 1 else 'is'}"
    told = _EFFECTS[effect.kind].format(times=times)
    before, after = (f"{clock:%H:%M}" for clock in (change.before, change.after))
    return f"On {timetable.shown(change.at)[:10]} clocks go {way} from {before} to {after}: {told}."
