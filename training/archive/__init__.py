"""Recordings from the world.

xenocanto    the client: queries, pages, downloads, patience
collection   the folder that is filled: audio, table, attribution
fetch        READ FIRST: which species, which of their recordings
"""
