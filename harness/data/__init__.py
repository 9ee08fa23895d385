"""A competition's data: found, decoded once, checked, and handed out as memory maps (see `harness.data.dataset`)."""
