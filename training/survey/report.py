"""All of a survey as what `templates/survey.html` names: figures, tables, findings and galleries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from monitor.features import MelSpec
from training.pages.page import figure_uri
from training.pages.plots import ORANGE, bars, lengths, spectrogram, table_of_dots, the_most
from training.survey.findings import Finding
from training.survey.listing import NEGATIVE, Entry, Listing
from training.survey.measure import Excerpt, Measured, Unreadable
from training.survey.tally import (
    HOURS,
    MONTHS,
    Species,
    background_species,
    by_species,
    counted,
    hours,
    licence_name,
    months,
    sample_rates,
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure on the page."""

    uri: str
    alt: str
    """what it shows, for those who cannot see it"""
    caption: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A spectrogram of the gallery and whose recording it is of."""

    entry: Entry
    uri: str
    alt: str
    link: str
    """page of the recording; empty where there is none that a browser may open"""
    remarks: tuple[str, ...]


def page_context(
    listing: Listing,
    measured: Sequence[Measured],
    unreadable: Sequence[Unreadable],
    found: Sequence[Finding],
    spec: MelSpec,
) -> dict[str, object]:
    """The context of `survey.html`. At least one recording was measured."""
    groups = by_species(measured)
    known = {
        "recordists": {name for species in groups for name in species.recordists},
        "sessions": {name for species in groups for name in species.sessions},
        "countries": {name for species in groups for name in species.countries},
    }
    facts = {
        "recordings": len(measured),
        "species": len({group.name for group in groups} - {NEGATIVE}),
        "minutes": round(sum(species.minutes for species in groups)),
        **{name: len(names) for name, names in known.items()},
        "cannot be read": len(unreadable) + len(listing.passed_over),
        "missing": len(listing.absent),
    }
    return {
        "facts": [(f"{count:,}", name) for name, count in facts.items() if count],
        "known": known,
        "findings": found,
        "overview": _overview(groups),
        "species": groups,
        "plots": list(_plots(measured, groups)),
        "galleries": [(species, _gallery(species, spec)) for species in groups],
        "spec": spec,
    }


def _overview(groups: Sequence[Species]) -> list[Plot]:
    counts = {species.name: len(species.recordings) for species in groups}
    minutes = {species.name: round(species.minutes, 1) for species in groups}
    return [
        _plot(bars(counts, "recordings"), "Recordings", _said(counts)),
        _plot(bars(minutes, "minutes", ORANGE), "Minutes", _said(minutes)),
    ]


def _plots(measured: Sequence[Measured], groups: Sequence[Species]) -> Iterable[Plot]:
    yield from _bars(
        "Quality, as the recordists judged it", dict(sorted(counted(measured, lambda entry: entry.quality).items()))
    )
    yield from _bars("Country", _ordered(counted(measured, lambda entry: entry.country)))
    yield from _bars("Sample rate at the source", sample_rates(measured))
    seconds = [one.length_s for one in measured]
    alt = f"Histogram of lengths from {min(seconds):.1f} to {max(seconds):.1f} s"
    yield Plot(figure_uri(lengths(seconds)), alt, "Length")
    yield from _dots("Month", MONTHS, {species.name: months(species) for species in groups})
    yield from _dots("Hour of the day, local time", HOURS, {species.name: hours(species) for species in groups})
    yield from _bars("Recordist", _ordered(counted(measured, lambda entry: entry.recordist)))
    yield from _bars("Species in the background", _ordered(background_species(measured)))
    yield from _bars("Licence", _ordered(counted(measured, lambda entry: licence_name(entry.licence))))


def _bars(title: str, counts: Mapping[str, int]) -> Iterable[Plot]:
    """Nothing where nothing is known."""
    if counts:
        yield _plot(bars(the_most(counts), "recordings"), title, _said(counts))


def _dots(title: str, columns: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Iterable[Plot]:
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    if any(total):
        figure = table_of_dots(list(counts), columns, list(counts.values()), "")
        yield _plot(figure, title, "all species: " + _said(dict(zip(columns, total, strict=True))))


def _plot(figure: Figure, title: str, said: str) -> Plot:
    return Plot(figure_uri(figure), f"{title}: {said}", title)


def _said(counts: Mapping[str, object]) -> str:
    return "; ".join(f"{name} {count}" for name, count in counts.items())


def _ordered(counts: Counter[str]) -> dict[str, int]:
    """Most first, equals by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _gallery(species: Species, spec: MelSpec) -> list[Shown]:
    return [_shown(one, one.excerpt, spec) for one in species.recordings if one.excerpt is not None]


def _shown(one: Measured, excerpt: Excerpt, spec: MelSpec) -> Shown:
    entry = one.entry
    uri = figure_uri(spectrogram(excerpt.power, spec, excerpt.start_s), "webp")
    alt = f"Spectrogram of {entry.name}, {entry.species}, from {excerpt.start_s:.0f} s of {one.length_s:.0f} s"
    quality = f"quality {entry.quality}" if len(entry.quality) == 1 else entry.quality
    when = f"{entry.date} {entry.time}".removesuffix("?").strip()
    remarks = (entry.sound_type, quality, entry.country, when, entry.recordist, licence_name(entry.licence))
    link = entry.url if entry.url.startswith(("https://", "http://")) else ""
    return Shown(entry, uri, alt, link, tuple(remark for remark in remarks if remark))
