"""How fast flowyard starts and runs, beside the real promptflow, on the machine at hand. ``make bench`` runs it."""
