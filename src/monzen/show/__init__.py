"""What people and programs see: terminal, JSON; English and Japanese."""
