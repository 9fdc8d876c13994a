"""A fleet of stations seen from its broker: collected without loss, or watched. The pipeline knows nothing of it.

`subscription` listens, `letters` reads what arrives.
To collect: `receipts` decides what is new, `tables` writes it exactly once (`columns`, `dialect`) into a `folder` of
Parquet files or a `postgres` database, `collector` is the loop, `gaps` says what is missing.
To watch: `stations` is the fleet as it is now, `troubles` what is wrong with it, `screen` shows it, `asking` has
stations send again what is missing.
"""
