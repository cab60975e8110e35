"""Every code that a finding about a flow may carry, and what it means. docs/validation.md shows this table.

A code is for programs: it never changes its meaning, and it is never used without a line here.
"""

from __future__ import annotations

GROUPS: dict[str, dict[str, str]] = {
    "The file": {
        "unreadable": "The file cannot be opened.",
        "too-large": "The file is larger than 1 MiB.",
        "encoding": "The file is not UTF-8.",
        "control-character": "A character that no YAML text, or no database, may hold.",
        "empty-file": "There is nothing in the file.",
        "not-a-flow": "The file holds a text or a list where a flow is a map.",
        "several-documents": "There is more than one flow in the file.",
    },
    "YAML": {
        "yaml-syntax": "The text is not YAML, for a reason that has no code of its own.",
        "unquoted-expression": "A value starts with `{{` outside quotes, so YAML reads a mapping.",
        "quote-needed": "A value must be quoted because of the characters in it.",
        "unclosed-quote": "A quote is opened and never closed.",
        "text-after-quote": "There is more text after the closing quote of a value.",
        "bad-escape": "A backslash inside double quotes that starts no known escape.",
        "unclosed-bracket": "A `[` or `{` is not closed as it should be.",
        "tab-indentation": "A tab in the indentation.",
        "bad-indentation": "A line is not indented like its neighbours.",
        "missing-space": "There is no space after the colon of a key.",
        "duplicate-key": "A key is written twice in one map.",
        "bad-key": "A key is empty, or is no text.",
        "bad-merge": "`<<` is given something that is no map.",
        "bad-alias": "An alias has no anchor, or contains itself.",
        "too-many-aliases": "The aliases stand for more values than a flow can have.",
        "too-deep": "Something is nested deeper than 200 levels, or a container deeper than 32.",
        "yaml-tag": "A YAML tag such as `!!binary`.",
        "bad-number": "A number that JSON cannot keep: infinite, not a number, or with more than 1,000 digits.",
    },
    "Properties": {
        "missing-property": "A property that is needed is not there, or has no value.",
        "unknown-property": "There is no such property.",
        "wrong-type": "A value of another type: text where a list is due, say.",
        "invalid-choice": "A value that is not one of those allowed.",
        "invalid-id": "An id or a namespace with characters that it may not have.",
        "invalid-value": "A value that is refused for the reason given.",
        "invalid-duration": "No ISO-8601 duration, or one that is not positive or longer than ten years.",
        "invalid-retry": "Times of a retry that contradict each other.",
        "invalid-pattern": "A regular expression that RE2 does not know.",
        "invalid-default": "The default of an input is not a value that the input accepts.",
        "out-of-range": "A number that is too small or too large.",
        "too-long": "A text that is too long.",
        "empty-list": "A list that needs an entry has none.",
        "conflict": "Two properties exclude each other.",
        "reserved-id": "An id that the REST paths need for themselves.",
        "reserved-label": "A label that belongs to the engine.",
    },
    "Between the parts": {
        "unknown-type": "There is no such type of task or input.",
        "plugin-broken": "The plugin that has this type cannot be used.",
        "not-supported": "The language has it and this version does not run it.",
        "duplicate-id": "Two tasks, inputs, outputs or triggers have the same id.",
        "unknown-dependency": "`dependsOn` names what does not exist.",
        "dependency-cycle": "Tasks or inputs wait for each other.",
    },
    "Expressions": {
        "expression-syntax": "An expression that cannot be parsed.",
        "unknown-reference": "An expression reads an input, a variable or a task that does not exist.",
        "unknown-variable": "An expression starts with a name that means nothing where it stands.",
        "unknown-field": "An expression reads a field that the data before it do not have.",
        "not-yet-run": "An expression reads a task that cannot have run by then.",
        "no-outputs": "An expression reads the outputs of a task that has none.",
        "unordered-tasks": "An expression reads a task that runs at the same time.",
        "may-not-run": "An expression reads a task that runs in some cases only, and gives no default.",
        "loop-value": "The value of a loop is missing, is none of its values, or is asked for outside the loop.",
        "wrong-operand": "An operator, filter or test is given a kind of value that it refuses.",
        "constant-comparison": "A comparison that has the same answer in every run.",
        "render-user-text": "`render()` is given text that comes from whoever starts the flow.",
        "static-property": "An expression in a property that is read as it is written.",
        "literal-secret": "A secret is written into the flow as it is.",
    },
}

CODES: dict[str, str] = {code: meaning for group in GROUPS.values() for code, meaning in group.items()}
