"""`explain --from-log` and `--stdin-jsonl`: many records of a log asked of one config."""
