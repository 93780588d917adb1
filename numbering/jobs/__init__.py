"""Work that is never lost: one row per piece of work, one state machine, and a broker that is only a bell."""
