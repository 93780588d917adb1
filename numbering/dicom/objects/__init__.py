"""The objects that we write: reports and presentation states, and their codes."""
