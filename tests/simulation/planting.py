"""Plants a mistake in a function of the engine, and takes it out again.

The function's source is edited and compiled anew, and the function gets the new code: whoever has imported it, under
whatever name, runs the mistake. Nothing is written to disk.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any


def source_of(function: Callable[..., Any]) -> str:
    return textwrap.dedent(inspect.getsource(function))


def edited(function: Callable[..., Any], old: str, new: str) -> CodeType:
    """The code of a function in which `old`, which must stand there once, is `new`."""
    source = source_of(function)
    if source.count(old) != 1:
        raise ValueError(f"`{old}` stands {source.count(old)} times in {function.__qualname__}:\n{source}")
    return compiled(function, ast.parse(source.replace(old, new)))


def compiled(function: Callable[..., Any], tree: ast.Module) -> CodeType:
    """The code of a function whose definition is `tree`."""
    assert isinstance(function, FunctionType)
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef) and each.name == function.__name__:
            each.decorator_list = []
    ast.fix_missing_locations(tree)
    flags = __future__.annotations.compiler_flag
    module = compile(tree, function.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    return next(each for each in module.co_consts if isinstance(each, CodeType) and each.co_name == function.__name__)


@contextmanager
def planted(function: Callable[..., Any], code: CodeType) -> Iterator[None]:
    """While this lasts the function runs other code."""
    assert isinstance(function, FunctionType)
    own = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = own
