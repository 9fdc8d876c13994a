"""Clusters as one page that opens offline, with pictures and players, where each can be given a name.

The names are typed into the page and saved from it as labels.csv, by a script that the page's policy knows by its hash
and that can send nothing anywhere. Without scripts, the first column of the table beside the page does the same.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import numpy as np

from monitor.clock import rfc3339
from monitor.report import charts
from monitor.report.clips import Sound, opus, picture
from monitor.report.markup import add, element
from monitor.sinks.tables.whole import refusing, whole
from monitor.unknown.clusters import LEAST, Cluster, Clusters
from monitor.unknown.collection import Collection

MOST_SOUNDS, MOST_NOISE = 6, 12
"""of one cluster, and of what is like nothing, that can be seen and heard"""
MOST_BYTES = 4_000_000
"""of sounds and pictures"""
MOST_SEEN = 600
"""sounds that are read for it"""
_SCRIPT = """
document.getElementById("save").addEventListener("click", () => {
  const quoted = (text) => '"' + text.replaceAll('"', '""') + '"';
  const rows = [...document.querySelectorAll("input[data-cluster]")].filter((box) => box.value.trim());
  const lines = rows.map((box) => box.dataset.cluster + "," + quoted(box.value.trim()) + "\\n");
  const link = document.createElement("a");
  link.href = "data:text/csv;charset=utf-8," + encodeURIComponent("cluster,label\\n" + lines.join(""));
  link.download = "labels.csv";
  link.click();
});
"""
_STYLE = """
label { display: block; margin: 0.5rem 0; font-size: 0.9rem; }
input, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--muted);
  border-radius: 0.3rem; padding: 0.25rem 0.5rem; }
input { width: min(100%, 16rem); margin-left: 0.4rem; }
button { cursor: pointer; padding: 0.4rem 0.9rem; }
.save { max-width: none; position: sticky; bottom: 0; padding: 0.6rem 0; background: var(--paper);
  border-top: 1px solid var(--line); }
.sounds { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 0.8rem; }
.cluster { margin: 1rem 0; }
"""


@dataclass(frozen=True, slots=True)
class About:
    """What a page says of itself."""

    title: str
    left_out: int
    """windows that were loud and unlike any label, too, and stand out less"""
    page: str
    """the file's name, and of the table beside it"""
    table: str
    made: datetime


def write_page(path: Path, collection: Collection, found: Clusters, about: About) -> int:
    """Write the page; its size in bytes. StoreError where it cannot be written."""
    text = "<!DOCTYPE html>\n" + tostring(_page(collection, found, about), encoding="unicode", method="html")
    encoded = text.encode(errors="replace")
    with whole(path) as partial, refusing(path):
        partial.write_bytes(encoded)
    return len(encoded)


def _page(collection: Collection, found: Clusters, about: About) -> Element:
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; script-src 'sha256-{digest}'"
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{about.title}: sounds without a name"),
        element("style", (files("monitor.report") / "style.css").read_text(encoding="utf-8") + _STYLE),
    )
    main = element("main", *_sections(collection, found, about))
    footer = element("footer", f"Dawn Chorus {version('dawnchorus')}, {rfc3339(about.made)}", class_="note")
    return element("html", head, element("body", main, footer, element("script", _SCRIPT)), lang="en")


def _sections(collection: Collection, found: Clusters, about: About) -> Iterator[Element]:
    sounds = _sounds(collection, found)
    yield _heading(collection, found, about)
    for number, cluster in enumerate(found.clusters, 1):
        yield _cluster(collection, cluster, number, sounds)
    if found.clusters:
        saved = f"Saves labels.csv. Then: dawnchorus discover ... -o {about.page} --label labels.csv --out training"
        button = element("button", "Save the names", type="button", id="save")
        yield element("p", button, element("span", f" {saved}", class_="note"), class_="save")
    yield _noise(collection, found, sounds)


def _heading(collection: Collection, found: Clusters, about: About) -> Element:
    alike = sum(len(cluster.rows) for cluster in found.clusters)
    facts = [
        (f"{len(collection):,}", "windows, loud and unlike any label"),
        (f"{int(collection.stands_for.sum()):,}", "that they stand for"),
        (f"{len(found.clusters):,}", "clusters"),
        (f"{alike:,}", "windows in them"),
    ]
    boxes = (element("div", element("b", number), text) for number, text in facts)
    told = (
        f"Each cluster holds at least {LEAST} windows of {collection.window_s:g} s that are like each other and unlike "
        f"all that the model {collection.network.name} has a name for. The largest, and those furthest from what it "
        "knows, come first. A cluster need not be one species, nor a species one cluster: listen before you name it. "
        f"All windows stand in {about.table}."
    )
    head = element("header", element("h1", f"{about.title}: sounds without a name"), element("p", told))
    if about.left_out:
        add(head, element("p", f"{about.left_out:,} more windows stand out less and are not looked at.", class_="note"))
    return add(head, element("div", *boxes, class_="facts"))


def _cluster(collection: Collection, cluster: Cluster, number: int, sounds: dict[int, Sound]) -> Element:
    origins = len({collection.name(row) for row in cluster.rows.tolist()})
    times = sorted(filter(None, (collection.utc(row) for row in cluster.rows.tolist())))
    when = f", {times[0][:16]} to {times[-1][:16]} UTC" if times else ""
    stands = f", which stand for {cluster.windows:,}" if cluster.windows > len(cluster.rows) else ""
    told = (
        f"{len(cluster.rows):,} windows{stands}, of {origins:,} sources{when}; "
        f"the model thinks most of {cluster.guess}, at {cluster.guess_score:.2f}"
    )
    box = element("input", type="text", data_cluster=number, autocomplete="off", spellcheck="false")
    shown = [_figure(collection, row, sounds[row]) for row in cluster.rows.tolist() if row in sounds]
    return element(
        "section",
        element("h3", f"Cluster {number}"),
        element("p", told, class_="note"),
        element("label", "Name", box),
        element("div", *shown, class_="sounds"),
        class_="card cluster",
        id=f"cluster-{number}",
    )


def _noise(collection: Collection, found: Clusters, sounds: dict[int, Sound]) -> Element:
    shown = [_figure(collection, row, sounds[row]) for row in found.noise.tolist() if row in sounds]
    told = f"{len(found.noise):,} windows belong to no cluster. Those that stand out most:"
    made = element("section", element("h2", "Like nothing else"), element("p", told, class_="note"))
    return add(made, element("div", *shown, class_="sounds"))


def _figure(collection: Collection, row: int, sound: Sound) -> Element:
    start_s, stands_for = float(collection.windows.starts_s[row]), int(collection.stands_for[row])
    where = collection.utc(row) or f"{start_s:.1f} s"
    like = f", stands for {stands_for:,}" if stands_for > 1 else ""
    caption = element("figcaption", f"{Path(collection.name(row)).name}, {where}{like}")
    player = element("audio", controls="", preload="none", src=sound.audio, aria_label=f"Sound at {where}")
    return element("figure", charts.sound(sound), player, caption)


def _sounds(collection: Collection, found: Clusters) -> dict[int, Sound]:
    """By row: one of each cluster before a second of any, as long as there is room."""
    wanted = _wanted(found)
    read = dict(collection.read(np.array(wanted, np.int64))) if wanted else {}
    made: dict[int, Sound] = {}
    room, rate = MOST_BYTES, collection.network.sample_rate
    for row in wanted:
        if row not in read:
            continue
        samples = read[row]
        length_s, score = len(samples) / rate, float(collection.windows.scores[row])
        sound = Sound(score, collection.utc(row), length_s, rate / 2, picture(samples, rate), opus(samples, rate), None)
        room -= sound.size
        if room < 0:
            break
        made[row] = sound
    return made


def _wanted(found: Clusters) -> list[int]:
    rows: list[int] = []
    parts: Sequence[list[int]] = [cluster.rows[:MOST_SOUNDS].tolist() for cluster in found.clusters]
    noise = found.noise[:MOST_NOISE].tolist()
    for turn in range(MOST_SOUNDS):
        rows += [part[turn] for part in parts if len(part) > turn]
        rows += noise[turn * 2 : turn * 2 + 2]
    return rows[:MOST_SEEN]
