"""Which recordings belong together: one visit, or cuts of one source. Rather too much together than a leak."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CATALOGUED = re.compile(r"XC\s?(\d+)", re.IGNORECASE)
_RECORDER = re.compile(r"^(.*?\d{8})[_T-]\d{6}")
"""day and time as recorders write them: 20240501_043000"""
_CUT = re.compile(r"(?:[_\- .]+(?:\d+(?:\.\d+)?s?)){1,2}$")
"""a number, or begin and end, at the end of a name"""
UPLOADED_TOGETHER = 5
"""steps of the xeno-canto number, at most, between recordings of a visit that are uploaded one after the other"""
_DAY = re.compile(r"^\d{4}-(?!00)\d\d-(?!00)\d\d")


@dataclass(frozen=True, slots=True)
class Visit:
    """Who recorded where and when, as far as it is known; an empty text: not known."""

    recordist: str
    latitude: float | None
    longitude: float | None
    locality: str
    date: str

    @property
    def places(self) -> tuple[str, ...]:
        """The locality, and the coordinates to a tenth of a degree: about 10 km."""
        named = [_plain(self.locality)] if self.locality.strip() else []
        known = self.latitude is not None and self.longitude is not None
        return (*named, *([f"{self.latitude:.1f} {self.longitude:.1f}"] if known else [])) or ("",)

    @property
    def day(self) -> str:
        """YYYY-MM-DD, or nothing where it is not fully known."""
        match = _DAY.match(self.date)
        return match[0] if match else ""


def visit_keys(visits: Sequence[Visit]) -> list[tuple[str, ...]]:
    """Keys by which recordings of the same recordist, place and day share a session.

    Where one recording of a recordist and place has no day, it may be of any day there: then all of that place share
    one session. Without recordist and place there is no key.
    """
    dateless = {(_plain(v.recordist), place) for v in visits if not v.day for place in v.places}
    keys = []
    for visit in visits:
        recordist = _plain(visit.recordist)
        known = [place for place in visit.places if recordist or place]
        days = ["" if (recordist, place) in dateless else visit.day for place in known]
        keys.append(tuple(f"visit {recordist}|{place}|{day}" for place, day in zip(known, days, strict=True)))
    return keys


def catalogued(name: str) -> str | None:
    """The xeno-canto number in a name, as XC123; None where there is none."""
    match = _CATALOGUED.search(name)
    return f"XC{match[1]}" if match else None


def cut_keys(paths: Sequence[Path]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Keys of files that lie in class folders, and the stems that turned out to be counters.

    Files with the same xeno-canto number share it; so do those of one folder whose numbers follow closely, as a visit
    is mostly uploaded at once. Files of one recorder and day, by a time as recorders write it into
    the name, share these. Else a name without the number or the begin and end at its end is the source, unless it is
    the only such stem in every folder in which it occurs: then it counts files (great_tit_001 ...) and each
    file is a source of its own. So is a file whose whole name is a number.
    """
    stems = [_stem(path.stem) for path in paths]
    in_folder: defaultdict[Path, set[str]] = defaultdict(set)
    for path, stem in zip(paths, stems, strict=True):
        in_folder[path.parent].add(stem)
    sources = {stem for some in in_folder.values() if len(some) > 1 for stem in some}
    keys: list[tuple[str, ...]] = []
    counters = []
    runs = _runs(paths)
    for path, stem in zip(paths, stems, strict=True):
        number, recorder = catalogued(path.stem), _RECORDER.match(path.stem)
        if number:
            keys.append((number, runs[path]))
        elif recorder or (stem in sources and not path.stem.isdigit()):
            keys.append((f"cut of {recorder[1] if recorder else stem}",))
        else:
            keys.append(())
            counters += [stem] if stem != path.stem else []
    return keys, sorted(stem for stem, count in Counter(counters).items() if count > 1)


def _runs(paths: Sequence[Path]) -> dict[Path, str]:
    """Path -> a key that it shares with those in its folder whose xeno-canto numbers follow closely."""
    numbered = sorted((path.parent, int(name[2:]), path) for path in paths if (name := catalogued(path.stem)))
    runs: dict[Path, str] = {}
    last: tuple[Path, int] | None = None
    run = ""
    for folder, number, path in numbered:
        if last is None or last[0] != folder or number - last[1] > UPLOADED_TOGETHER:
            run = f"upload of {folder.name} from XC{number}"
        runs[path], last = run, (folder, number)
    return runs


def _stem(name: str) -> str:
    return _CUT.sub("", name) or name


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
