"""What a folder of recordings holds, before anybody trains on it, in the order the page is made.

listing    a folder in any layout -> one entry a recording, with all that is said of it
measure    decoded once: length, level, clipping, fingerprint, the most active seconds
tally      how many of what
findings   what somebody should look at, naming the recordings
report     all of it as the page's figures and tables
"""
