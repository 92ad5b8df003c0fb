"""A config as its rules see it, one view per file: what they ask, and what they answer.

`facts.py` is what every rule is given; `entries.py`, `writers.py`, `lines.py`, `calls.py`
and `literals.py` look at handlers and formatters; `lanes.py` and `survey.py` at routes;
`wording.py` and `fixes.py` make messages and corrections. Pure; runs in whatever thread
loads a config.
"""
