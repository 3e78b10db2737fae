"""Numbers for decisions: intervals, paired tests, corrections for many tests, sizes. Pure functions, no records.

Two versions on the same lines:  mcnemar  proportions  paired  bootstrap  percentiles  noninferiority
Many tests, and how many lines:  corrections  power
Judges and people:               agreement  judge_error
While data still come in:        betting  sequential  sample_ratio  group_sequential
Two independent groups:          two_sample  cuped  proportions  two_distributions
Below them:                      special  inputs

Only what resamples needs numpy, and imports it when it is called. docs/statistics.md says when which one is used.
"""
