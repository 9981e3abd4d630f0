"""aio.py with uvloop for its event loop."""
import uvloop

uvloop.install()

import aio  # noqa: E402,F401  It runs when it is imported.
