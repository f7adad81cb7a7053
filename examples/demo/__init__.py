"""The demo: a small guarded service, and a tour of it over real HTTP."""
