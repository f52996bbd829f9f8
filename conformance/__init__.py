"""Language-neutral conformance: recorded vendor evidence (`recorded.py`) and our own vectors against every SDK (`run.py`)."""
