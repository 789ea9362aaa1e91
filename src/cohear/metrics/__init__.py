"""How good, how sure, how consistent: pure functions of predictions, in numpy."""
