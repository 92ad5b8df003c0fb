"""Delivery: how records wait for a sink, and what happens when it fails.

The specs of the whole language are in `specs.py`; the machinery has one file
each: `queue.py` (bounded, overflow), `ledger.py` (counts), `retry.py` (backoff).
"""
