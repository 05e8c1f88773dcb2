"""What a data protection officer needs, written from the configuration: in German, and open about what is not in it."""
