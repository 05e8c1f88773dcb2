"""The commands of `gateway`, by what they are about. `gateway.cli` puts them together."""
