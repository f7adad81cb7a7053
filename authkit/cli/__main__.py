"""`python -m authkit.cli`: the same as `authkit`."""

import sys

from authkit.cli import main

sys.exit(main())
