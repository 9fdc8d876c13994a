"""What stands above each part of the page: how to read it, and what it does not say."""

EFFORT = (
    "Each column is a day, each row an hour of the day. Full colour: all of the hour was heard. Hatched: nobody "
    "listened, so that nothing is known. Several sources that listened side by side count together."
)
SPECIES = (
    "By number of detections. A detection is what the model took for the species, not a bird: one bird that sings "
    "all morning is many. Mean confidence is the share of them that is expected to be right, where the model's "
    "confidence is calibrated and the place sounds like what it was calibrated on; precision was measured by the "
    "model's maker."
)
CARDS = (
    "Full colour: the most detections in an hour; no colour: listened, and none. Hatched: nobody listened. Below it "
    "all detections by confidence, with the threshold from which the model reports the species (dashed)."
)
ACCUMULATION = (
    "Species after so many days of listening, as they came, and as expected of the same days in any order (Colwell, "
    "Mao and Chang 2004). A curve that still rises says that there are more. The estimate (Chao2) counts on species "
    "found on one day only, which are also what false detections look like."
)
NOISE = (
    "Median level in dB relative to full scale, by octave and hour of the day. Levels of different microphones or "
    "gains cannot be compared."
)
HEALTH = (
    "What kept the station from hearing, when, how far its times can be trusted, what became of the sound that was "
    "kept, and what was remarked. It is read from the account of every minute: temperature and load are not in it."
)
MODEL = "What the model says about itself. It knows no other species than its labels."
CAUSES = {
    "paused": "paused by the schedule",
    "withheld": "withheld, because somebody spoke",
    "lost_device": "lost: the microphone was gone, dead or frozen",
    "lost_overrun": "lost on the way from the microphone",
    "lost_overload": "lost: analysis could not keep up",
    "lost_damaged": "lost: the recording is damaged there",
    "lost_unknown": "lost, and nobody knows why",
}
DELETED = {
    "age": "deleted: they were old",
    "quota": "deleted: there were better ones of the species",
    "size": "deleted: all together were too large",
    "space": "deleted: the disk was short of space",
    "vanished": "taken away by others",
}
QUALITIES = {
    "gps": "by a satellite receiver",
    "ntp": "by a synchronised system clock",
    "rtc": "by a battery-backed clock",
    "unsynced": "by a clock that nothing vouches for",
    "recorder": "by the recorder",
    "unknown": "unknown",
}
