"""Sample index -> UTC, with the quality of that answer and a bound on its error: here alone samples become time.

    sample --Timeline--> monotonic second of this boot --StationClock--> UTC

The monotonic clock cannot be set, so what lies between two detections is measured by it alone. What UTC it shows is
one number for the whole boot, the reference: nothing but a better reference changes it, and then all times of this
boot move alike.

times       what a time is, how far it can be trusted, and the clock of a recording
kernel      what the kernel says of its clock
gpsd        what a satellite receiver says
reference   which of them is believed
timeline    the sound card's drift against the monotonic clock
live        the clock of a microphone: all of these together
"""

from monitor.clock.kernel import system_quality
from monitor.clock.times import Clock, Instant, Quality, SampleClock, minute_after, rfc3339

__all__ = ["Clock", "Instant", "Quality", "SampleClock", "minute_after", "rfc3339", "system_quality"]
