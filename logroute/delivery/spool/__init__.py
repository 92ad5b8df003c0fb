"""The spool: the queue of one handler on disk, which survives restarts and kill -9.

One folder per handler, one series of append-only segments per process. From the
ground up: `disk.py` the calls of the system, `frames.py` the bytes of a record,
`folder.py` the folder and its names, `locks.py` who owns a series, `acks.py` how far
it is delivered, `reader.py` from segments back to records, `writer.py` the series of
this process, `adoption.py` what dead ones left, `store.py` the two together and their
bound, `ledger.py` the counts, `entry.py` and `queue.py` what a worker sees of it all,
`sink.py` what fills it, `listing.py` what people see of it. See `docs/spool.md`.
"""
