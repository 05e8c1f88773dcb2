"""`make torture`: a seeded run that breaks everything around the gateway, and then counts from the outside.

plan (what goes wrong, and when) → run (machines, portals, faults) → checker (the invariants) → report (the table).
"""
