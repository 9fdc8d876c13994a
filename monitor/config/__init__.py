"""YAML -> frozen, typed settings. A key or value that is not allowed is an error that says what is.

settings    all that a station can be told: read first; each section has a file of its own
reading     a file or text -> settings, or one sentence that says what is wrong with it
template    the file that `dawnchorus config init` writes
"""
