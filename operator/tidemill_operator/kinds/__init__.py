"""The kinds: what a DataFlow and a DataFlowRun object say, as pydantic models, and what is made of them.

`dataflow` and `run` are the kinds, out of `pools`, `pods`, `sources` and `status`; what stands in a data flow itself
is `tidemill.formats.schema`, the same models by which files are read, with texts and bounds from `flow`. `structural`
makes OpenAPI schemas of models and `crd` whole definitions; ``python -m tidemill_operator.kinds`` prints them.
`objects`, `accept` and `placing` are the other way: what an object says becomes a model, a data flow in its pools, and
input sets, or findings.
"""
