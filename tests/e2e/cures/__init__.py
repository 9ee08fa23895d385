"""Messages that name a cure: what provokes each, and how its cure is carried out."""
