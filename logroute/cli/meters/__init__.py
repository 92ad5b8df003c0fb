"""What `logroute stats` is made of: who is asked, and how the answers are shown."""
