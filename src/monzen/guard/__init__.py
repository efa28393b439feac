"""The guard: `monzen run` reads and judges all day, `monzen gate serve` imposes; what joins them, and what each remembers."""
