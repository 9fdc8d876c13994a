"""The commissioning check, before one leaves the site: from the microphone to the broker.

Each check stands for itself, is bounded in time, and tells "it is bad" from "nobody could look".

finding     what a check says: a light, a sentence, and what to do
examine     all checks, one after the other: read first
listening   the microphone: found, opened, on time
sound       what came from it: level, clipping, silence, offset, hum
machine     clock, temperature, throttling
disk        speed, space, and who may read what
model       parity and speed
broker      credentials, acknowledgement and the topics that may be written
"""
