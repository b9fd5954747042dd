"""What DFFML's API has beyond the model: base classes of things that are configured and entered, and helpers.

Nothing of Tidemill is built on it. `tidemill.df`, `tidemill.base`, `tidemill.util`, `tidemill.high_level` and
`tidemill.configloader` are DFFML's import paths: they name what is here and below.
"""
