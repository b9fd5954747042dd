"""How a program on some machine reaches a cluster: kubectl makes the ways, the rest is HTTP.

`client` asks the HTTP API of an installation, `kubectl` finds it and who we are, `objects` writes DataFlow objects.
The command line and `orchestrator.kubernetes` are built on it.
"""
