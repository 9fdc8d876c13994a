"""Recordings to network, in the order the data takes. Each room says in its docstring what lies in it.

    archive      fetch: recordings and their table from xeno-canto
    survey       what a folder of recordings holds, as a page, with warnings
    corpus       build: recordings in any layout -> a manifest with labels, sessions, folds and boxes
    drawing      manifest -> mel power -> batches: where the calls are, mixed, moved, masked
    network      EfficientNet-Lite
    train        READ FIRST: the loop; blend: the mean of several of its networks
    teaching     targets from networks that were trained before
    checkpoint   what it leaves on the disk; machine: where it runs
    evaluation   out-of-fold logits -> how good it is, calibration, thresholds, a page
    pages        what survey and evaluation are shown with
    cli          the commands, one file each

The front end is `monitor.features`: the device defines it, training follows.
"""
