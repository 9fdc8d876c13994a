"""Which of a model's labels may be reported: of ten thousand species, those that live here and now.

occurrence  what occurs at a place in a week, from a list or a geo model
filter      lists of names and the occurrence -> a mask over a model's labels
"""
