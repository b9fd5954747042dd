"""The engine over Redis or Valkey: one Functions library in which every change of state is one atomic call.

No process holds state. The networks have a file of the same name in `functions`; `plans` is what the library is told
of a plan, `codec` turns values into bytes, `client` calls the functions.
"""
