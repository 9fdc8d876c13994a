"""Recordings to batches.

spectra    recordings -> mel power, decoded once and kept in memory
songs      songs that no animal sings
augment    what a place and a recorder do to a sound
examples   READ FIRST: windows and their targets
material   all of it together, for a manifest
batch      a batch as a picture
"""
