"""What nobody has a name for: windows that are loud and unlike any label, kept within a budget.

    windows -> the one in 20 s that stands out most -> voice gate -> its vector -> the reservoir -> unknown.sqlite

sink        one stream's candidates: read first
standing    how far a window stands out of the noise floor
keeper      judges candidates and writes the few that are worth it, in a thread of its own
reservoir   which of the kept are dispensable: what is rare stays, whatever flood comes
shelf       the file
"""
