"""Scripts for those who work on this project; none is installed."""
