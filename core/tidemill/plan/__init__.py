"""A data flow compiled once into a frozen plan, the only thing that engines execute.

`compile` resolves names and sources and collects every problem, `check` finds what is wrong or can never run, `graph`
answers who can reach whom, `digest` names the plan by its content. No I/O, no clock.
"""
