"""Programs for maintainers; each says with --help what it does. A package so that its tests can import it."""
