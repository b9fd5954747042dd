"""What all rungs of the tutorial share: the site they download from, how to log in there, and what they are asked on
the command line.

A rung is a program of its own, `r01_serial.py` and so on beside this folder; docs/tutorial has a page for each.
"""
