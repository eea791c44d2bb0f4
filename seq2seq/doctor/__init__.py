"""A parallel corpus looked over: what is wrong with it, where, and a cleaned copy."""
