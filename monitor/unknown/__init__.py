"""Looking for what has no name, in what a station kept or in any recordings.

collection   windows with their vectors, wherever they come from: read first
gathering    a store or recordings -> a collection
embedding    one recording -> its windows
cutting      windows -> their sound, read from recordings once more
cache        what was embedded before, beside the recordings
likeness     which windows are most like some examples
sifting      what is loud and unlike any label
clusters     which windows are like each other
page         clusters as a page with pictures and players
labelled     names given to clusters -> a folder that training reads
"""
