"""labmark's tests; a package of its own, since an installed distribution also calls one `tests`."""
