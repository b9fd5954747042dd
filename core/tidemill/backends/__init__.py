"""Where the networks are kept: one package a backend, with the five networks under their names."""
