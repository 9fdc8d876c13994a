"""Sound as pictures with axes, in files that everybody can open.

spectrum    audio, however long -> levels by time and frequency: read first
drawing     levels, axes and what was found there -> pixels
terminal    levels -> coloured blocks, for those who have no picture viewer
lanes       which detections can stand beside each other
ticks       where an axis is labelled
text        letters as pixels
colours     dark to bright
png         pixels -> a file

PNG and letters are made here because both are short: a drawing library is 20 MB on a device whose own are 240.
"""
