"""Speed and memory of `monzen scan`, beside other readers of the same logs (`make bench`)."""
