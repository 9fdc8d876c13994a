"""How good networks are, from recordings they have never heard.

    networks     checkpoints or INT8 files, one a fold, refused where they do not fit the recordings
    scored       recordings -> logits, windows as on the device
    mixing       held-out calls under the noise of a place, from +20 to -10 dB
    heard        all logits of an evaluation, kept in one file, so that thresholds can be tried without networks
    claims       recordings x labels: the highest logit, and what is there
    bins         boxed recordings second by second and window by window
    intervals    every figure with its interval: bootstrap by session, Wilson, Poisson
    metrics      cmAP, AUROC, T1, calibration error
    calibration  logit -> confidence
    thresholds   the confidence from which a label is reported
    events       what the device's tracker makes of it, against boxes and by the hour
    report       READ FIRST: all of it as plain values
    plots, page  the same with pictures

Each recording is scored by the network of its fold, which did not learn from it. Calibration and thresholds
that a figure needs are fitted on the other folds too; those that ship are fitted on all.
"""
