"""The command line: one file a verb, and what several of them share.

The rule of this package: starting is cheap. `__main__` and `group` import nothing but click; a verb imports what it
needs when it is called, and pydantic, rich and asyncio only where they are used. Everything a user reads on standard
error passes `errors`, so that a value of theirs can neither move the cursor nor forge a line.
"""
