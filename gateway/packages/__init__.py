"""Packages: services, targets and clients as folders of YAML. `gateway.services` is the way in."""
