"""Which detections are wanted as clips."""

from dataclasses import dataclass

from monitor.config.clips import ClipRule, Clips
from monitor.contract.names import folded
from monitor.sinks.clips.clip import About


@dataclass(frozen=True, slots=True)
class Precedents:
    """What there was of a species before."""

    clips_of_day: int
    """kept on the day of the detection, whatever became of them since"""
    clips: int
    """kept at this station, the same"""
    detections: int
    """stored at this station, and with this one"""


def wanted(settings: Clips, about: About, before: Precedents) -> bool:
    """Whether a rule fits; what is new or rare is wanted however many clips the day has."""
    fitting = [rule for rule in settings.rules if _fits(rule, about, before)]
    if any(rule.precious for rule in fitting):
        return True
    return before.clips_of_day < settings.at_most_per_species_and_day and bool(fitting or not settings.rules)


def _fits(rule: ClipRule, about: About, before: Precedents) -> bool:
    return (
        _names(rule, about)
        and about.confidence >= rule.above
        and (rule.at_most is None or before.clips_of_day < rule.at_most)
        and not (rule.first_of_day and before.clips_of_day)
        and not (rule.new and before.clips)
        and (rule.rare is None or before.detections < rule.rare)
    )


def _names(rule: ClipRule, about: About) -> bool:
    if not rule.species:
        return True
    taxon = about.taxon
    own = {folded(name) for name in (about.label, taxon.scientific_name, taxon.common_name)}
    return any(folded(name) in own for name in rule.species)
