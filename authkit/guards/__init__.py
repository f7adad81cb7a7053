"""Guards: one file, one question. Each is a thin door in front of a package that can be used without any handler."""
