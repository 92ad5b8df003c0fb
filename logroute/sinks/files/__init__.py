"""What the file sink is made of: the open file, turns at it, rotation, upkeep.

`place` follows a path, `turn` lets several writers take turns, `schedule` says when
a period ends, `names` how rotated files are called, `rotation` when and how a file
is put away, `upkeep` and `archive` what becomes of it then. The worker that owns
the sink runs all of it, but for compression, which has a thread of its own.
"""
