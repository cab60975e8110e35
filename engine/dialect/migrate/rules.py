"""All rules of both directions, in the order in which they are applied. docs/migrating.md shows this table.

Defaults come first, because what they fill in must be rewritten too; then what is told and never rewritten; loops
come last, because they move more of the text than any other rule.
"""

from __future__ import annotations

from engine.dialect.migrate import absent, defaults, expressions, for_each, loops, triggers, words
from engine.dialect.migrate.rule import Rule
from engine.dialect.versions import Dialect

_UNREADABLE = Rule(
    name="unreadable",
    before="an expression that cannot be read",
    after=None,
    apply=expressions.unreadable,
)
_TO_2 = (
    _UNREADABLE,
    Rule(
        name="plugin-defaults",
        before="`pluginDefaults`, `taskDefaults`",
        after="their values, in every task they were for",
        apply=defaults.plugin_defaults,
        caution="defaults of the whole instance are not in the file",
    ),
    Rule(
        name="removed",
        before="`ForEachItem`, `log.Fetch`, `state.*`, `execution.Count`, `execution.Resume`, `trigger.Toggle`, "
        "`Template`, `listeners`, `workerGroup`",
        after=None,
        apply=absent.removed,
    ),
    Rule(name="run-if", before="`runIf`", after="`when`", apply=words.run_if_to_when),
    Rule(name="checks", before="`condition` of a check", after="`when`", apply=words.condition_of_checks),
    Rule(
        name="input-types",
        before="types `BOOLEAN` and `ENUM` of inputs and outputs",
        after="`BOOL` and `SELECT`",
        apply=words.types_of_inputs,
    ),
    Rule(
        name="required-default",
        before="`required: false` beside `defaults`",
        after="`defaults` alone",
        apply=words.optional_with_default,
    ),
    Rule(name="canceled", before="the state `CANCELED`", after="`CANCELLED`", apply=words.canceled),
    Rule(
        name="canceled-expression",
        before="`'CANCELED'` in an expression that reads a `state`",
        after="`'CANCELLED'`",
        apply=expressions.canceled_in_expressions,
    ),
    Rule(
        name="json",
        before="`json(x)`, `x | json`",
        after="`fromJson(x)`, `x | toJson`",
        apply=expressions.json_names,
    ),
    Rule(
        name="runners",
        before="`runner` and `docker` of scripts",
        after="`taskRunner` and `containerImage`",
        apply=words.runners,
        caution="`docker` with more than the image is left",
    ),
    Rule(
        name="notifications",
        before="`io.kestra.plugin.notifications.slack.X`",
        after="`io.kestra.plugin.slack.notifications.X`",
        apply=words.notifications,
    ),
    Rule(name="echo", before="`debug.Echo`, `format`", after="`log.Log`, `message`", apply=words.echo),
    Rule(name="purge", before="`storage.Purge`", after="`execution.PurgeExecutions`", apply=words.purge),
    Rule(
        name="delete",
        before="`fs.local.Delete`",
        after="the same, with `recursive: true`",
        apply=words.recursive_delete,
    ),
    Rule(
        name="conditions",
        before="`conditions`, `preconditions`, `multipleConditions` of triggers",
        after="`when`, `dependsOn`, `window`",
        apply=triggers.conditions_to_when,
        caution="`HasRetryAttempt`, `ExecutionOutputs` and `where` are left",
    ),
    Rule(
        name="loops",
        before="`ForEach`, `EachSequential`, `EachParallel`; `taskrun.value`, `parents[n].taskrun.value`, "
        "`outputs.t[taskrun.value].x`",
        after="`Loop`; `item.value`, `item.parent.value`, `outputs.t.x`",
        apply=loops.for_each_to_loop,
        caution="see [loops](#loops)",
    ),
)
_TO_1 = (
    _UNREADABLE,
    Rule(
        name="not-there-yet",
        before="`PurgeStorage`, `McpToolTrigger`, `Approval`, `workerSelector`, `policyRefs`, `quotas`, "
        "functions of 2.0",
        after=None,
        apply=absent.not_there_yet,
    ),
    Rule(name="when", before="`when` of a task", after="`runIf`", apply=words.when_to_run_if),
    Rule(name="checks", before="`when` of a check", after="`condition`", apply=words.when_of_checks),
    Rule(
        name="triggers",
        before="`when`, `dependsOn` and `window` of triggers",
        after="`conditions`, `preconditions`",
        apply=triggers.when_to_conditions,
        caution="`mode`, and `when` of an entry, are left",
    ),
    Rule(
        name="loops",
        before="`Loop`; `item.value`, `item.parent.value`, `outputs.t.x`",
        after="`ForEach`; `taskrun.value`, `parent.taskrun.value`, `outputs.t[taskrun.value].x`",
        apply=for_each.loop_to_for_each,
        caution="left where it has `breakWhen`, `fetchType`, `errors`, `finally`, `transmitFailed: false`, "
        "or other `outputs`",
    ),
)
RULES: dict[Dialect, tuple[Rule, ...]] = {"2.0": _TO_2, "1.x": _TO_1}
