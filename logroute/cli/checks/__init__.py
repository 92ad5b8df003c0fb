"""What `logroute check` does around the reports: which files, which findings, when again."""
