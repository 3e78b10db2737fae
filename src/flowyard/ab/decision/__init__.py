"""What follows from the evidence: tests of the primary metric and the guardrails, and one decision by the policy."""
