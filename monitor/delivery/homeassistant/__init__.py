"""A station as a device of Home Assistant: found by itself, each figure a sensor.

assistant   what is said, and when
entities    the sensors, as discovery describes them; names: their ids
states      what is said of one of them; sounding, health: of which and what
listener    where it comes from: a sink of the pipeline
"""
