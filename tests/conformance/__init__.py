"""One table of cases, run through every host, sync and async, with no difference."""
