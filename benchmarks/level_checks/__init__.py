"""Parts of benchmarks/levelcheck.py."""
