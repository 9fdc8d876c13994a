"""The schemas as they were published, part of the package. Until SCHEMA is raised they change by addition only.

Add a field to a message, with a default, and write them anew:

    python -m monitor.messages.published

Take one away or make it mean something else, and SCHEMA in `delivered` has to be raised first: the files of the
schema before stay where they are, for those who still receive its messages.
"""

import json
from pathlib import Path

from monitor.errors import MonitorError
from monitor.messages.asyncapi import document
from monitor.messages.channels import CHANNELS
from monitor.messages.delivered import SCHEMA
from monitor.messages.schemas import Schema, schema

FOLDER = Path(__file__).parent / "schema"
"""holds one folder for each value of SCHEMA"""
ASYNCAPI = "asyncapi"


def generated() -> dict[str, Schema]:
    """What the types say now: the schema of each topic's messages by its last level, and the AsyncAPI document."""
    return {channel.level: schema(channel.message) for channel in CHANNELS} | {ASYNCAPI: document(CHANNELS)}


def published(folder: Path = FOLDER) -> dict[str, Schema]:
    """What was published of this SCHEMA, by the same names; nothing where it is new."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in _own(folder).glob("*.json")}


def renew(folder: Path = FOLDER) -> None:
    """Write what the types say now. MonitorError where that would break who reads what was published."""
    now = generated()
    broken = [
        f"{name}: {what}" for name, before in published(folder).items() for what in incompatible(before, now.get(name))
    ]
    if broken:
        msg = f"not an addition to schema {SCHEMA}: {'; '.join(broken)}; raise SCHEMA or take it back"
        raise MonitorError(msg)
    _own(folder).mkdir(parents=True, exist_ok=True)
    for name, content in now.items():
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (_own(folder) / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def incompatible(before: Schema, after: Schema | None) -> list[str]:
    """What a schema no longer promises, or newly asks for, against the one before; None: it is gone.

    Who knows the one before must be able to read new messages, and who knows the new one old messages: so what was
    there stays as it is, and what is added may be missing.
    """
    if after is None:
        return ["it is gone"]
    operations = after.get("operations", {})  # of the AsyncAPI document: topics, QoS, what is retained
    found = [f"{name} is another" for name, one in before.get("operations", {}).items() if operations.get(name) != one]
    old, new = _objects(before), _objects(after)
    for title, one in old.items():
        found += _broken(title, one, new[title]) if title in new else [f"{title} is gone"]
    return found


def _own(folder: Path) -> Path:
    return folder / str(SCHEMA)


def _objects(whole: Schema) -> dict[str, Schema]:
    """The structured types of a schema, by name; none of an AsyncAPI document, which repeats them."""
    parts = whole.get("$defs", {})
    return {whole["title"]: whole, **parts} if "title" in whole else {}


def _broken(title: str, before: Schema, after: Schema) -> list[str]:
    known = {name: _meaning(one) for name, one in before["properties"].items()}
    now = {name: _meaning(one) for name, one in after["properties"].items()}
    gone = [f"{title}.{name} is gone" for name in known.keys() - now.keys()]
    changed = [f"{title}.{name} is another" for name in known.keys() & now.keys() if known[name] != now[name]]
    demanded = set(before.get("required", ())) ^ set(after.get("required", ()))
    moved = [f"{title}.{name} is no longer or newly required" for name in demanded if name in now]
    return sorted([*gone, *changed, *moved])


def _meaning(one: Schema) -> Schema:
    """A property without its words."""
    return {key: value for key, value in one.items() if key != "description"}


if __name__ == "__main__":
    renew()
