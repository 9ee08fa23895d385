"""Source texts that a bundle's model.py is put together from: `base` and one backend. They are never imported here."""
