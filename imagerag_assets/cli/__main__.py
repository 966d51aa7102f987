"""Run the command line with `python -m imagerag_assets.cli`."""

import sys

from imagerag_assets.cli import main

sys.exit(main())
