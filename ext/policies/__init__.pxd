# One file for each policy: what it decides and how. `store.Policy` says what a policy is asked for;
# the ideas, the papers and what was measured stand in `_core_py/policies`, of which these are
# translations. `table.pxi` has the list of them all.
