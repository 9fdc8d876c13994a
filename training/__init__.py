"""Recordings to network, in the order the data takes.

    manifest   recordings, labels, boxes and folds, with a hash of what was trained on
    spectra    recordings -> mel power, decoded once and kept in memory
    examples   mel power -> batches: where the calls are, mixing, masks
    network    EfficientNet-Lite
    train      READ FIRST: the loop
    evaluate   out-of-fold scores -> how good it is

The front end is `monitor.features`: the device defines it, training follows.
"""
