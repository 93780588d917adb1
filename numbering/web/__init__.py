"""The HTTP interface: STOW-RS, jobs and dead letters, health, metrics."""
