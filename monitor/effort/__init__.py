"""The account of every sample: heard, lost and why, paused, withheld. By minute, in whole samples.

    heard + lost + paused + withheld = elapsed, exactly

minutes     where minutes begin, and how loud each was: a stage that audio passes through on its way in
ledger      what became of each sample: told by what comes out of the analysis
"""

from monitor.effort.ledger import Ledger
from monitor.effort.minutes import Minutes

__all__ = ["Ledger", "Minutes"]
