"""What is trained on.

recordings   Recording and Box, whatever layout they came in
manifest     READ FIRST: all recordings, their folds, their hash; read from a file or a folder
stored       the manifest as a file
layouts      fetched, a folder a class, BirdCLEF, BirdSet, the project's own: each to candidates
boxes        annotations: CSV, Raven, Audacity
soundcheck, selection, labelling, split
             the steps of `build`: what can be decoded, what is new, what names mean, which fold
"""
