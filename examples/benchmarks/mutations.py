"""Single changes to a Python file, as a mutation test makes them.

Each is one operator at one place. Left alone is what no test of behaviour could tell: docstrings,
annotations, what is raised or asserted, names in quotes, and `strict=` of `zip`.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SWAPS = {
    **{"min": "max", "amin": "amax", "minimum": "maximum", "argmin": "argmax"},
    **{"max": "min", "amax": "amin", "maximum": "minimum", "argmax": "argmin"},
    **{"any": "all", "all": "any", "sum": "mean", "mean": "sum"},
    **{"zeros": "ones", "zeros_like": "ones_like", "new_zeros": "new_ones"},
    **{"add_": "sub_", "normal_": "zeros_", "zeros_": "ones_"},
}
"""Function -> the one that stands in for it; `sum` and `mean` as methods alone"""
DROPPED = {
    *("detach", "clamp", "clip", "abs", "relu", "square", "sqrt", "exp", "exp_", "log"),
    *("softmax", "sigmoid", "float", "transpose", "masked_fill", "normalize", "pad"),
}
"""Functions that may be left out, with what they are given in place of what they make of it"""
UNSEEN_FIELDS = {"annotation", "returns", "type_comment", "type_params"}
UNSEEN_NODES = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.JoinedStr)


@dataclass(frozen=True)
class Mutation:
    """One change, by where it is and what becomes of it."""

    line: int
    column: int
    operator: str
    before: str
    after: str

    def __str__(self) -> str:
        """As it is listed."""
        return f"{self.line}:{self.column} {self.operator}: {self.before} -> {self.after}"


def mutations(source: str) -> list[Mutation]:
    """All changes that could be made to `source`, in the order of its syntax tree."""
    return [mutation for mutation, _ in _changes(ast.parse(source))]


def mutated(source: str, number: int) -> ast.Module:
    """The tree of `source` after the change of that number in `mutations(source)`."""
    tree = ast.parse(source)
    list(_changes(tree))[number][1]()
    return ast.fix_missing_locations(tree)


def fingerprint(source: str) -> str:
    """Of the code alone: neither what it imports nor what it says of itself counts."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:12]


def _changes(tree: ast.Module) -> Iterator[tuple[Mutation, Callable[[], None]]]:
    for node, put in _nodes(tree):
        for operator, new in _replacements(node):
            before, after = _text(node), _text(new)
            # A comprehension has no place of its own.
            at = node.target if isinstance(node, ast.comprehension) else node
            change = Mutation(at.lineno, at.col_offset, operator, before, after)
            yield change, lambda put=put, new=new: put(new)


def _nodes(parent: ast.AST) -> Iterator[tuple[ast.AST, Callable[[ast.AST], None]]]:
    """Every node below `parent` that may be changed, with what puts another in its place."""
    for field, value in ast.iter_fields(parent):
        if field in UNSEEN_FIELDS:
            continue
        if isinstance(value, list):
            children = [(child, _putter(value, at)) for at, child in enumerate(value)]
        else:
            children = [(value, lambda new, field=field: setattr(parent, field, new))]
        for child, put in children:
            if isinstance(child, ast.AST) and not _unseen(child):
                yield child, put
                yield from _nodes(child)


def _putter(items: list[ast.AST], at: int) -> Callable[[ast.AST], None]:
    return lambda new: items.__setitem__(at, new)


def _unseen(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        # A docstring, or super().__init__(), without which no module works.
        return isinstance(node.value, ast.Constant) or "super()" in ast.unparse(node)
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    return isinstance(node, UNSEEN_NODES)


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """(operator's name, what may stand here instead)."""
    match node:
        case ast.Compare(left, [op], [right]):
            for other in COMPARISONS[type(op)]:
                yield "comparison", ast.Compare(left, [other()], [right])
        case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
            yield "arithmetic", ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.AugAssign(target, op, value):
            if type(op) in ARITHMETIC:
                yield "arithmetic", ast.AugAssign(target, ARITHMETIC[type(op)](), value)
            yield "statement left out", ast.Pass()
        case ast.BoolOp(op, values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "boolean", ast.BoolOp(other, values)
        case ast.UnaryOp(op, operand):
            yield "negation left out", operand
        case ast.Constant(value):
            yield from (("constant", ast.Constant(other)) for other in _other_values(value))
        case ast.Return(value) if value is not None:
            yield "return value", ast.Return(ast.Constant(None))
        case ast.Expr(ast.Call()):
            yield "statement left out", ast.Pass()
        case ast.Attribute(value, "T"):
            yield "transposition left out", value
        case ast.Call():
            yield from _other_calls(node)
    for field in ("test", "ifs"):
        conditions = getattr(node, field, None) or []
        for condition in conditions if isinstance(conditions, list) else [conditions]:
            # Comparisons and negations have operators of their own.
            if isinstance(condition, ast.Name | ast.Attribute | ast.Call | ast.BoolOp):
                yield "condition negated", _negated(node, field, condition)


def _negated(node: ast.AST, field: str, condition: ast.expr) -> ast.AST:
    """`node` with that condition turned round; its other parts are shared."""
    new = type(node)(**dict(ast.iter_fields(node)))
    turned: ast.expr = ast.UnaryOp(ast.Not(), condition)
    value = getattr(node, field)
    if isinstance(value, list):
        setattr(new, field, [turned if one is condition else one for one in value])
    else:
        setattr(new, field, turned)
    return new


def _other_values(value: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, float):
        yield from (value + 1.0, value / 2) if value else (1.0,)
    elif value in ("sum", "mean"):
        yield "mean" if value == "sum" else "sum"


def _other_calls(call: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if method else getattr(call.func, "id", "")
    if name in SWAPS and (method or name not in ("sum", "mean")):
        other = SWAPS[name]
        func = (
            ast.Attribute(call.func.value, other, ast.Load())
            if method
            else ast.Name(other, ast.Load())
        )
        yield "function", ast.Call(func, call.args, call.keywords)
    if name in DROPPED:
        of_library = not method or ast.unparse(call.func.value) in ("torch", "np")
        yield "call left out", call.args[0] if of_library else call.func.value
    if name in ("clamp", "clip") and call.keywords:
        turned = [ast.keyword(SWAPS.get(k.arg, k.arg), k.value) for k in call.keywords]
        yield "bound", ast.Call(call.func, call.args, turned)
    if name == "where" and len(call.args) == 3:
        condition, first, second = call.args
        yield "branches", ast.Call(call.func, [condition, second, first], call.keywords)


def _text(node: ast.AST) -> str:
    """What a list shows of a node: its first line, at most 70 characters."""
    line = ast.unparse(node).partition("\n")[0]
    return line if len(line) <= 70 else f"{line[:67]}..."
