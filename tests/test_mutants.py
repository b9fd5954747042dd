"""What the mutation run makes of the answers of mutmut: a table by module, and the share that tests noticed."""

from tools import mutants

ANSWERS = """\
    tidemill.engine.locks.x_take__mutmut_1: killed
    tidemill.engine.locks.x_take__mutmut_2: survived
    tidemill.engine.locks.xǁLocksǁfree__mutmut_1: timeout
    tidemill.engine.stages.x_next__mutmut_1: no tests
"""


def test_statuses_are_read() -> None:
    found = mutants.statuses(ANSWERS)
    assert len(found) == 4
    assert found["tidemill.engine.locks.x_take__mutmut_2"] == "survived"
    assert found["tidemill.engine.stages.x_next__mutmut_1"] == "no tests"


def test_what_no_test_reaches_counts_as_not_noticed() -> None:
    table, share = mutants.report(mutants.statuses(ANSWERS))
    assert share == 0.5
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["engine.locks", "3", "2", "66.7%"],
        ["engine.stages", "1", "0", "0.0%"],
        ["all", "4", "2", "50.0%"],
    ]
