"""Files in and out: data flows and inputs as JSON, YAML, JSON lines and CSV.

The rule of this package: what is read was written by somebody else. Every reader is bounded (bytes, depth, digits),
never builds an object that the text chooses, and refuses what two readers would understand differently. Text becomes
plain data first (`bounds`, `json_text`, `yaml_text`, `read`, `records`); only then a data flow (`document`, `load`),
inputs (`inputs`), or text again (`write`, `diagram`).
"""
