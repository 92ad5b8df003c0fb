"""`python -m logroute` is the command `logroute`."""

import sys

from logroute.cli import main

sys.exit(main())
