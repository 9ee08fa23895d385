"""What lies in a run's folder and is no part of the run: how far it is, what it is to be called, how its recipe differs from others."""
