"""What a store or an analysis came to, as one page that opens offline, and as tables. Nothing here writes to a store.

season          all that is told: read first
opening         a store, as tables of the period that is looked at
tabled          an analysis that wrote no store, as one
period          which days, and by what clock
species         who was found, when, and how surely
listening       the effort behind it
accumulation    how many species, by how many days
noise           how loud it was
health          when it heard nothing, how far its clock could be trusted, what became of clips
clips           the best sound of each species
card            what the models say about themselves
page            the page, made of parts, ailments, markup, charts, calendars and style.css
sheets          the same numbers as CSV or Parquet, which columns write
occurrences     detections as Darwin Core, and beside the deployments of a package like Camtrap DP
"""
