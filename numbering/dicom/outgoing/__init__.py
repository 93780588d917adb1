"""Objects that go out: destinations, C-STORE, STOW-RS, storage commitment."""
