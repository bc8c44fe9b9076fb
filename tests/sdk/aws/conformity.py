"""Whether an answer is one that the SDK's models describe: nothing that they do not know, nothing of another type."""

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from xml.etree import ElementTree

NUMBERS = {"double": float, "float": float, "integer": int, "long": int}


def problems(shape: Any, parsed: Any, raw: Any, path: str = "") -> Iterator[str]:
    """What of the document `raw` does not read back from what the SDK has `parsed`, or is not as the model's `shape` says."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(raw, dict):
            yield f"{path or 'the answer'}: {raw!r} is no structure"
            return
        members = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        for name, value in raw.items():
            if name not in members:
                yield f"{path}.{name}: the SDK knows no such field"
            else:
                known, member = members[name]
                yield from problems(member, parsed.get(known), value, f"{path}.{name}")
        yield from (f"{path}.{name}: it is missing" for name in shape.required_members if parsed.get(name) is None)
        return
    if kind == "list":
        if not isinstance(raw, list) or len(raw) != len(parsed):
            yield f"{path}: {raw!r} is no list"
            return
        for index, (item, document) in enumerate(zip(parsed, raw, strict=True)):
            yield from problems(shape.member, item, document, f"{path}[{index}]")
        return
    if kind == "string":
        good = isinstance(raw, str) and parsed == raw
        good = good and (not getattr(shape, "enum", None) or raw in shape.enum) and fits(shape.metadata, raw)
    elif kind == "boolean":
        good = isinstance(raw, bool) and parsed is raw
    elif kind == "timestamp":
        good = isinstance(parsed, datetime) and parsed.tzinfo is not None and parsed == moment(shape, raw)
    elif kind in NUMBERS:
        good = isinstance(raw, (int, float)) and not isinstance(raw, bool) and parsed == NUMBERS[kind](raw) == raw
    else:
        raise TypeError(f"{path}: how is a {kind} checked?")
    if not good:
        yield f"{path}: {raw!r} reads as {parsed!r}, which is no {shape.name}"


def fits(bounds: dict[str, Any], text: str) -> bool:
    """Whether a text is as long as the model says, and has its pattern."""
    # Python has no surrogates in patterns; the ARN's is one of those.
    pattern = bounds.get("pattern", "").replace("\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF", "\\uFFFD")
    long_enough = bounds.get("min", 0) <= len(text) <= bounds.get("max", len(text))
    return long_enough and (not pattern or re.fullmatch(pattern, text) is not None)


def moment(shape: Any, raw: Any) -> datetime | None:
    """A time as the model says it is written: by its format, or by that of the protocol."""
    if isinstance(raw, str):
        match = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", raw)
        written = shape.serialization.get("timestampFormat", "iso8601")
        return datetime.fromisoformat(raw) if match and written == "iso8601" else None
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or "timestampFormat" in shape.serialization:
        return None
    return datetime.fromtimestamp(raw, timezone.utc)


def document(text: bytes) -> dict[str, Any]:
    """An answer of the query protocol as nested names and texts. The namespace is that of STS."""
    namespace = "{https://sts.amazonaws.com/doc/2011-06-15/}"

    def of(node: ElementTree.Element) -> tuple[str, Any]:
        assert node.tag.startswith(namespace), node.tag
        names = [of(child) for child in node]
        assert len(dict(names)) == len(names), f"{node.tag} has the same element twice"
        return node.tag.removeprefix(namespace), dict(names) if names else node.text

    name, inner = of(ElementTree.fromstring(text))
    return {name: inner}
