"""Pages that open offline.

page       a template filled in, its figures inside
plots      the figures that pages share
templates  what a page looks like
"""
