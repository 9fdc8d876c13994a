"""Which candidates are trained on: what can be decoded, once."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.errors import RecordingError
from training.corpus.layouts.found import Candidate, Skipped
from training.corpus.recordings import BACKGROUND_FOLD, Recording

Checked = Mapping[Path, str | Skipped]
"""path -> SHA-256, or why it is left out"""


@dataclass(frozen=True, slots=True)
class Heard:
    """A candidate that was decoded."""

    candidate: Candidate
    sha256: str


def heard_of(candidates: Sequence[Candidate], checked: Checked) -> tuple[list[Heard], list[Skipped]]:
    """Birds first. A file that is named twice under one label counts once."""
    heard: dict[tuple[Path, str | None], Heard] = {}
    skipped: dict[str, Skipped] = {}
    for candidate in sorted(candidates, key=lambda c: c.label is None):
        result = checked[candidate.path]
        if isinstance(result, Skipped):
            skipped[result.path] = result
        else:
            heard.setdefault((candidate.path.resolve(), candidate.label), Heard(candidate, result))
    return list(heard.values()), list(skipped.values())


def once(heard: Sequence[Heard]) -> tuple[list[Heard], list[Skipped]]:
    """Drop copies under the same label or among the negatives; copies under two labels are each also the other.

    What a copy knew of its session goes to the one that stays.
    """
    groups: defaultdict[str, list[Heard]] = defaultdict(list)
    for one in heard:
        groups[one.sha256].append(one)
    kept, skipped = [], []
    for one in heard:
        same = groups[one.sha256]
        first = next(x for x in same if one.candidate.label in (x.candidate.label, None))
        if first is not one:
            detail = f"as {first.candidate.path}"
            skipped.append(Skipped(str(one.candidate.path), "has the same content as another recording", detail))
            continue
        others = [x.candidate for x in same if x is not one]
        keys = dict.fromkeys([*one.candidate.keys, *(key for other in others for key in other.keys)])
        also = [*one.candidate.also, *(name for other in others for name in (*other.also, other.label) if name)]
        kept.append(replace(one, candidate=replace(one.candidate, keys=tuple(keys), also=tuple(also))))
    return kept, skipped


def labels_of(heard: Sequence[Heard], skipped: Sequence[Skipped]) -> list[str]:
    """RecordingError where these recordings make no classifier."""
    labels = sorted({one.candidate.label for one in heard if one.candidate.label is not None})
    if not labels:
        first = (
            f"; {len(skipped)} were left out, the first is {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        )
        msg = f"no recording of a species is left{first}"
        raise RecordingError(msg)
    if len(labels) == 1 and all(one.candidate.label is not None for one in heard):
        msg = f"all recordings are {labels[0]}: a classifier needs another label or negatives to tell it from"
        raise RecordingError(msg)
    return labels


def backgrounds_of(
    paths: Sequence[Path], checked: Checked, known: Collection[str]
) -> tuple[tuple[Recording, ...], list[Skipped]]:
    """A background is heard in every fold: what is a recording of one fold cannot be one."""
    backgrounds, skipped = {}, []
    for path in paths:
        result = checked[path]
        if isinstance(result, Skipped):
            skipped.append(result)
        elif result in known or result in backgrounds:
            skipped.append(Skipped(str(path), "has the same content as another recording"))
        else:
            backgrounds[result] = Recording(path, None, path.name, BACKGROUND_FOLD, path.name, sha256=result)
    return tuple(backgrounds.values()), skipped
