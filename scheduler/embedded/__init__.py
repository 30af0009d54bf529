"""The embedded stack: every server of Triptych on one machine, with no Docker."""
