"""Where an axis is labelled, and with what."""

import math

_STEPS = (1.0, 2.0, 5.0, 10.0)
_CLOCK_STEPS_S = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_MINUTE_S = 60


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers from low to high; those of seconds from a minute on are round by the clock."""
    step = _round_up((high - low) / max(1, most - 1))
    return _multiples(low, high, step)


def time_ticks(start_s: float, end_s: float, most: int) -> list[float]:
    """The same for seconds: from ten of them on the steps are those of a clock."""
    wanted = (end_s - start_s) / max(1, most - 1)
    if wanted <= _CLOCK_STEPS_S[0]:
        return ticks(start_s, end_s, most)
    step = next((one for one in _CLOCK_STEPS_S if one >= wanted), None)
    return _multiples(start_s, end_s, step or math.ceil(wanted / _CLOCK_STEPS_S[-1]) * _CLOCK_STEPS_S[-1])


def clock(seconds: float, step_s: float) -> str:
    """Seconds as they are read at ticks so far apart: 2.5 s, 1:05 or 1:02:30."""
    places = decimals(step_s)
    if seconds < _MINUTE_S and step_s < _MINUTE_S:
        return f"{seconds:.{places}f} s"
    minutes, left = divmod(round(seconds, places), _MINUTE_S)
    hours, minutes = divmod(int(minutes), _MINUTE_S)
    tail = f"{left:0{3 + places if places else 2}.{places}f}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def frequency(hertz: float) -> str:
    """A frequency as it is read."""
    return f"{hertz / 1000:g} kHz"


def decimals(step: float) -> int:
    """How many it takes to tell neighbouring ticks apart."""
    return max(0, math.ceil(-math.log10(step) - 1e-9))


def _round_up(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(one for one in _STEPS if one * power >= step * (1 - 1e-9)) * power


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * number for number in range(first, last + 1)]
