"""The engine wing: record -> delivered. It knows nothing of files and texts."""
