"""Findings and their sums."""

from acmeproxy.services.findings import Diagnosis, Finding, Level, failed, or_passed, passed, warned


def test_a_diagnosis_counts_what_has_not_passed() -> None:
    found = (passed("a", "fine"), warned("b", "odd"), failed("c", "bad", "mend"), failed("d", "bad"))
    assert (Diagnosis(found).failures, Diagnosis(found).warnings) == (2, 1)
    assert Diagnosis(()).failures == 0


def test_a_subject_of_which_nothing_was_found_has_passed() -> None:
    assert or_passed([], "a", "fine") == (Finding(Level.PASS, "a", "fine"),)
    assert or_passed([warned("a", "odd", "mend")], "a", "fine") == (Finding(Level.WARN, "a", "odd", "mend"),)
