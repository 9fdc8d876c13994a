"""Offline analysis of many recordings.

analyze       recordings -> journal -> tables: read first
found         which recordings there are, and whether one has changed
terms         all that decides what is found in a recording; sent to who analyses
analysis      one recording -> its outcome, in one run of the pipeline
outcome       what one recording came to, as it travels and is kept
journal       outcomes on the disk as they come: an analysis that was ended goes on from there
alone         analyses in this process
workers       analyses in processes that share nothing
cluster       analyses on a Dask cluster
clips         the sound of the best detections, chosen by best, cut by excerpts
sheets        the journal -> the tables, in the order of the recordings
progress      how far it is, how fast, how long still
watching      folders to which recordings are added
"""
