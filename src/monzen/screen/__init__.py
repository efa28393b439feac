"""`monzen watch`: what happens on this machine, as it happens, on a terminal; and keys to decide."""
