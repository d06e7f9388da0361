"""The command ``deltabench``, also as ``python -m deltabench``."""

from __future__ import annotations

import os
import sys

# NumPy's own threads: its products are small here, and waiting for each other takes them longer than computing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from eval.cli import main

if __name__ == "__main__":
    sys.exit(main())
