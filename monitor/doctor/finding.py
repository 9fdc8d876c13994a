"""What a check says: a light, what was found, and what to do."""

from enum import StrEnum

import msgspec

SCHEMA = 1


class Light(StrEnum):
    """Whether the station can be left alone."""

    GREEN = "green"
    AMBER = "amber"
    """it will work, but not as well as it could, or nobody could look"""
    RED = "red"
    """it will not work"""


class Finding(msgspec.Struct, frozen=True):
    """One answer of one check."""

    check: str
    light: Light
    found: str
    """one sentence, with the figures"""
    advice: str = ""
    """one sentence on what to do; empty where all is well"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `dawnchorus doctor --json` prints."""

    schema: int = SCHEMA
    station: str
    version: str
    utc: str
    light: Light
    """the worst of all findings"""
    findings: list[Finding]


def green(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Light.GREEN, found)


def amber(check: str, found: str, advice: str) -> Finding:
    """It works, but."""
    return Finding(check, Light.AMBER, found, advice)


def red(check: str, found: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check, Light.RED, found, advice)


def sentence(message: str) -> str:
    """The text of an error as a sentence."""
    return f"{message[:1].upper()}{message[1:]}."


def worst(findings: list[Finding]) -> Light:
    """The light of all of them together."""
    lights = {finding.light for finding in findings}
    return next((light for light in (Light.RED, Light.AMBER) if light in lights), Light.GREEN)
