"""`check --fix` and `--diff`: edits on the text of files, proved before they are written."""
