"""`monzen serve`: what monzen knows as a page of this machine, and the few things that can be done from it."""
