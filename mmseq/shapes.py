"""What a file that is read must look like: checked once, with the place of what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

SHOWN = 40
"""Characters of a wrong value that a message holds"""


class Shape(BaseModel):
    """Keys with their types; further keys are left alone, as a newer version may write them."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


class Closed(Shape):
    """The same of a file that may have no further key."""

    model_config = ConfigDict(extra="forbid")


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("half", "holds half a character") from error
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""A string that can be written"""
Whole = Annotated[int, Field(ge=0, lt=2**53)]
"""A number of things, as JSON holds it exactly"""
Amount = Annotated[float, Field(ge=0)]
"""A number that is not below 0"""

LATER: Any = None
"""Default of a key that may be missing; where it is there, null is not of its type"""

_SAID = {
    "missing": "is missing",
    "extra_forbidden": "is not a key that it may have",
    "int_type": "is no whole number",
    "float_type": "is no number",
    "finite_number": "is no finite number",
    "string_type": "is no string",
    "half": "holds half a character",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "bool_type": "is neither true nor false",
    "list_type": "is no list",
    "dict_type": "is no table",
    "model_type": "is no table",
}


def fault(shape: Any, value: Any) -> str:
    """What is wrong with `value`, held to `shape` (a `Shape`, or any type that pydantic knows), and
    where: ``scores.test.f1: 'x' is no number``. Empty: nothing.
    """
    try:
        _adapter(shape).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
    else:
        return ""
    place = place_of(first["loc"])
    if first["type"] in ("missing", "extra_forbidden"):
        return f"{place} {_SAID[first['type']]}"
    said = _SAID.get(first["type"], f"is refused ({first['msg'].lower()})")
    return f"{place}: {shown(first['input'])} {said}" if place else f"it {said}"


@lru_cache(maxsize=64)
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def place_of(keys: Sequence[str | int]) -> str:
    """Keys from the outermost in, joined by dots; what cannot be printed is escaped."""
    return ".".join(shown(key)[1:-1] if isinstance(key, str) else str(key) for key in keys)


def shown(value: Any) -> str:
    """A wrong value for a message: on one line, escaped where it cannot be printed, cut."""
    # Of a whole table the type says more, and writing it down may take long.
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(value[: SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN + 2 else f"{text[:SHOWN]}…{text[-1]}"
