"""Help for other packages: only what `configure()` cannot do by itself.

Each module imports its package when it is used, never before.
"""
