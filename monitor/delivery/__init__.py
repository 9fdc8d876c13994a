"""From the outbox to a broker, for as long as it takes.

`link` holds a connection, whatever becomes of it, to the first of several brokers that answers; `connection` is one of
them, with what `credentials` shows. `publisher` takes the outbox over it, as `dispatch` decides, and lets others speak
beside it: `words` are what they say, `correspondent` says what they are. On a link that is paid for, `batches` packs
several messages into one and `budget` counts the bytes.

`dispatch` decides what goes when: `lanes` read the outbox, `replays` the archive, `packing` makes parcels of the rows,
`travels` are those on their way, `answers` what the outbox is to be told of them, `doubts` the topics that are refused.
"""
