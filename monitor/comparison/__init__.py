"""Results against annotations, and results against each other.

occurrences   what was heard when, as results and annotations say it
reading       tables of our own and of other programs -> occurrences: CSV, JSON lines, Raven, Audacity
matching      which overlap, by a stated rule
measures      precision, recall, F1 and average precision of each species
curve         precision against recall as a picture
difference    what one result holds and the other does not
"""
