"""Where a target is defined and what its docstring says, read without importing its module."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """File, line and docstring of a target; empty where it cannot be found."""

    file: str = ""
    line: int = 0
    doc: str = ""


def find_module(name: str) -> ModuleSpec | None:
    """The spec of a module, None where there is no such module.

    Unlike `importlib.util.find_spec` it does not import the packages above the module.
    """
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    # A ValueError: a module made by hand, without a spec.
    except (ImportError, ValueError):
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", list(spec.submodule_search_locations))
    return spec


def source_of_class(target: type) -> Source:
    """Of a class at hand."""
    doc = inspect.getdoc(target) or ""
    try:
        file, (_, line) = inspect.getsourcefile(target) or "", inspect.getsourcelines(target)
    except (OSError, TypeError):
        return Source(doc=doc)
    return Source(file, line, doc)


def source_of_name(target: str) -> Source:
    """Of ``"module:attribute"``; only the file where the module does not define it at top level."""
    module, _, attribute = target.partition(":")
    spec = find_module(module)
    if spec is None or spec.origin is None or not spec.has_location:
        return Source()
    try:
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    # No source text (an extension module), or a broken one: what uses the target says why.
    except (OSError, ValueError, SyntaxError):
        return Source(spec.origin, 1)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == attribute:
            return Source(spec.origin, node.lineno, ast.get_docstring(node) or "")
    return Source(spec.origin, 1)


def source_of_file(target: str) -> Source:
    """Of ``"package:path/to/file.toml"``: its first comment is what it says of itself."""
    try:
        path = find_file(target)
        first = path.read_text(encoding="utf-8").partition("\n")[0]
    # A listing must survive a missing or unreadable file; using it says why.
    except (LookupError, OSError, ValueError):
        return Source()
    return Source(str(path), 1, first.lstrip("# "))


def find_file(target: str) -> Path:
    """The file of ``"package:path/to/file.toml"``; `LookupError` saying what is not there."""
    package, _, relative = target.partition(":")
    spec = find_module(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        if (Path(folder) / relative).is_file():
            return Path(folder) / relative
    raise LookupError(
        f"no file {relative} in package '{package}'" if folders else f"no '{package}'"
    )
