"""What things are: definitions, inputs, operations, flows, contexts. No I/O, no event loop, no clock.

Nothing here knows how a data flow is executed; `plan` compiles what is described here.
"""
