"""labmark: runs a lab's notebooks, judges what they computed and explains every mark."""

__version__ = "0.1.0"
