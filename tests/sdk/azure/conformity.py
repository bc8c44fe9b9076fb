"""Whether an answer is one that the SDK's models describe: nothing that they do not know, nothing of another type."""

import re
import sys
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any


def problems(model: Any, raw: Any, path: str = "") -> Iterator[str]:
    """What of the JSON document `raw` does not read back from the model that the SDK made of it."""
    if hasattr(model, "serialize"):  # the older generation of models writes the document anew, without what it does not know
        again = model.serialize(keep_readonly=True)
        if again != raw:
            yield f"{path or 'the answer'}: {raw} reads back as {again}"
        return
    package = sys.modules[type(model).__module__.rpartition(".")[0]]
    hints = typing.get_type_hints(type(model), localns={"_models": package})
    fields = {field._rest_name: name for name, field in model._attr_to_rest_field.items()}
    for name, value in raw.items():
        if name not in fields:
            yield f"{path}.{name}: the SDK knows no such field"
        elif value is not None:
            yield from value_problems(getattr(model, fields[name]), value, hints[fields[name]], f"{path}.{name}")
    # The models of answers require next to nothing; the rest is what Resource Manager requires of every resource, and sense of
    # every amount of money.
    required = {name for name, attribute in fields.items() if type(None) not in typing.get_args(hints[attribute])}
    required |= next((whole for whole in ({"id", "name", "type"}, {"currency", "value"}) if whole <= fields.keys()), set())
    for name in sorted(required):
        if raw.get(name) is None:
            yield f"{path}.{name}: it is missing"


def value_problems(value: Any, raw: Any, hint: Any, path: str) -> Iterator[str]:
    choices = [choice for choice in union(hint) if choice is not type(None)]
    enums = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, Enum)]
    kind = enums[0] if enums else choices[0]
    if enums:
        good = isinstance(value, kind) and value.value == raw
    elif typing.get_origin(kind) is list:
        good = isinstance(raw, list)
        for index, (item, document) in enumerate(zip(value, raw if good else [], strict=good)):
            yield from value_problems(item, document, typing.get_args(kind)[0], f"{path}[{index}]")
    elif typing.get_origin(kind) is dict:
        good = isinstance(raw, dict) and value == raw
    elif kind is datetime:
        good = isinstance(value, datetime) and value.tzinfo is not None and value == moment(raw)
    elif kind in (float, Decimal):
        good = isinstance(raw, (int, float)) and not isinstance(raw, bool) and isinstance(value, (kind, int)) and float(value) == raw
    elif kind in (str, int, bool):
        good = type(raw) is kind and type(value) is kind and value == raw
    elif hasattr(kind, "_is_model"):
        good = isinstance(value, kind)
        if good:
            yield from problems(value, raw, path)
    else:
        raise TypeError(f"{path}: how is a {hint} checked?")
    if not good:
        yield f"{path}: {raw!r} reads as {value!r}, which is no {getattr(kind, '__name__', kind)}"


def moment(text: str) -> datetime | None:
    """A time as Microsoft's services write it: RFC 3339 in UTC, with seven digits of a second at most."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z", text)
    return match and datetime.fromisoformat(f"{match[1]}.{match[2] or '0':0<6.6}+00:00")


def union(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
