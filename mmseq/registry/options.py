"""Options of a component: the arguments of its constructor, checked against their annotations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from mmseq.errors import UserError, did_you_mean, one_line
from mmseq.registry.meant import meant, way_to_write
from mmseq.registry.ranges import limits

RESERVED = ("self", "sizes", "assets", "fitted")
"""Constructor arguments the engine fills in; every other one is an option."""

WEIGHT_TAKEN = "its constructor takes 'weight', which is the engine's own; call it otherwise"
"""What is wrong with a task that has an option of that name"""

REQUIRED = inspect.Parameter.empty

_OUT_OF_LIMITS = ("greater_than_equal", "greater_than", "less_than_equal", "less_than")


@dataclass(frozen=True)
class Option:
    """One option of a component."""

    name: str
    type: Any
    default: Any

    @property
    def type_name(self) -> str:
        """As in "int" or, with limits, "int, at least 1"."""
        name = in_words(self.type)
        return f"{name}, {self.limits}" if self.limits else name

    @property
    def limits(self) -> str:
        """As in "at least 1"; "" where it has none."""
        return limits(getattr(self.type, "__metadata__", ()))


def in_words(annotation: Any) -> str:
    """As in "int or 'mix'" for ``int | Literal["mix"]``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return in_words(annotation.__origin__)
    if origin is Literal:
        return " or ".join(repr(value) for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(in_words(one) for one in inner)
    if annotation is type(None):
        return "None"
    if origin is dict:
        key, value = inner
        within = _limits_within(value)
        return f"dict[{in_words(key)}, {in_words(value)}{within and f' {within}'}]"
    return inspect.formatannotation(annotation).replace("typing.", "")


def _limits_within(annotation: Any) -> str:
    """The limits of a type, or of the values of a table: as in "above 0"; "" without."""
    own = limits(getattr(annotation, "__metadata__", ()))
    return own or next(filter(None, map(_limits_within, get_args(annotation))), "")


def options_of(cls: Any) -> dict[str, Option]:
    """The options of a component's class, from its constructor's signature.

    A constructor that takes ``**options`` and hands them on has those of the next one too.
    """
    constructors = [vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)]
    found: dict[str, Option] = {}
    for constructor in constructors:
        found = {**_own_options(cls, constructor), **found}
        kinds = {p.kind for p in inspect.signature(constructor).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def taken_by(cls: Any, name: str) -> Any:
    """The class of `cls` and its bases whose constructor names the option; None where none does."""
    for base in cls.__mro__:
        constructor = vars(base).get("__init__")
        if constructor is not None and name in inspect.signature(constructor).parameters:
            return base
    return None


def task_options(cls: Any, title: str) -> dict[str, Option]:
    """The options of an auxiliary task's class, with the weight that the engine adds and takes out
    again: the loss is weighted outside the task. `UserError` where the class has one of its own.
    """
    options = options_of(cls)
    if "weight" in options:
        raise UserError(f"{title}: {WEIGHT_TAKEN}.")
    return {**options, "weight": Option("weight", float, float(cls.weight))}


def _own_options(cls: Any, constructor: Any) -> dict[str, Option]:
    # What the engine fills in may be annotated with names that exist for type checkers only.
    annotations = {
        name: annotation
        for name, annotation in getattr(constructor, "__annotations__", {}).items()
        if name not in (*RESERVED, "return")
    }
    try:
        hints = get_type_hints(
            SimpleNamespace(__annotations__=annotations),
            globalns=getattr(constructor, "__globals__", {}),
            include_extras=True,
        )
    except NameError as error:
        raise UserError(
            f"{cls.__module__}.{cls.__qualname__}: the type of an option cannot be read: {error}; "
            "import it where it is needed at run time, not only under TYPE_CHECKING."
        ) from error
    # "mmseq.Cuont", "int |", "Literal[fast]" in quotes, and whatever else is not evaluated.
    except Exception as error:
        raise UserError(
            f"{cls.__module__}.{cls.__qualname__}: the type of an option cannot be read: "
            f"{one_line(error).rstrip('.')}; correct the annotations of its constructor."
        ) from error
    return {
        name: Option(name, hints.get(name, _type_of(parameter.default)), parameter.default)
        for name, parameter in inspect.signature(constructor).parameters.items()
        if name not in RESERVED
        and parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    }


def _type_of(default: Any) -> Any:
    """The type of an option that has no annotation."""
    return type(default) if isinstance(default, bool | int | float | str) else Any


def check_options(
    title: str, options: Mapping[str, Option], given: Mapping[str, Any]
) -> dict[str, Any]:
    """`given` with every default filled in; `UserError` for a wrong name or type, or out of limits.

    Values are read as a TOML file has them: a whole number will do for a float, but not true for a
    number; a list for a tuple, a string for a path. What is of another type is taken where it can
    mean one thing, as "yes" does for true.
    """
    for name in given:
        if name not in options:
            hint = did_you_mean(name, options)
            known = ", ".join(sorted(options)) or "none"
            raise UserError(f"{title} has no option '{name}'.{hint} Its options: {known}.")
    values: dict[str, Any] = {}
    for name, option in options.items():
        if name in given:
            values[name] = _converted(title, option, given[name])
        elif option.default is REQUIRED:
            # What no user could write in a file is hardly meant for them.
            own = f"; of a constructor's arguments the engine gives {', '.join(RESERVED[1:])}"
            hint = "" if option.type in (bool, int, float, str) else own
            raise UserError(f"{title} needs option '{name}' ({option.type_name}){hint}.")
        else:
            values[name] = option.default
    return values


def _converted(title: str, option: Option, value: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter, ValidationError
    from pydantic_core import PydanticSerializationError, to_json

    config = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)
    adapter = TypeAdapter(option.type, config=config)
    wrong = f"{title}, option '{option.name}': {value!r} is not {option.type_name}"

    def read(written: Any) -> Any:
        # As JSON, since that has the types that TOML has: a tuple or a path is never given as one.
        return adapter.validate_json(to_json(written), strict=True)

    try:
        try:
            return read(value)
        except ValidationError:
            other = meant(option.type, value)
            if other is value:
                raise
            return read(other)
    except PydanticSerializationError as error:
        raise UserError(f"{wrong}.") from error
    except ValidationError as error:
        if option.limits and error.errors()[0]["type"] in _OUT_OF_LIMITS:
            raise UserError(
                f"{title}: {option.name} = {value}; it must be {option.limits}."
            ) from error
        first = error.errors()[0]
        if first["loc"] and first["type"] in _OUT_OF_LIMITS:
            place = ".".join(map(str, (option.name, *first["loc"])))
            within = _limits_within(option.type)
            raise UserError(f"{title}: {place} = {first['input']}; it must be {within}.") from error
        way = way_to_write(option.type, value)
        raise UserError(f"{wrong} ({first['msg']}).{way}") from error
