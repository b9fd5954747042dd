"""Should I install this package? The answer as a data flow over real tools.

The modules are split by idea. `names`, `index`, `download`, `archives`, `installed`, `security`,
`complexity`, `metadata`, `licences`, `vulnerabilities` and `verdict` are plain Python and know
nothing of Tidemill; `operations` gives each of them inputs and outputs; `dataflow` joins the
operations; `table` shows the results.
"""
