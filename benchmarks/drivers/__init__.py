"""Programs that run one case once and print what it took as one line of JSON. Python 3.8 syntax."""
