"""Packages written from a standard or an interface description: a beginning that already passes `gateway check`.

Nothing of it runs when messages are handled. `source` reads what there is, `parties` recognises people in it, `shapes`
says what the mapping makes, the other modules write the files; `drafting` puts them together and proves them.
"""
