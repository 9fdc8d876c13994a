"""When the station listens: windows of the day, around sunrise and sunset, duty cycles.

    blocks, gaps --scheduled()--> the same, and a gap for what is outside

sun         sunrise and sunset, also where there is none
plan        a configuration -> when to listen
stage       the stage that audio passes through
"""

from monitor.schedule.plan import Revisable, Schedule
from monitor.schedule.stage import scheduled

__all__ = ["Revisable", "Schedule", "scheduled"]
