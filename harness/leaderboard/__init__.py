"""CV against the leaderboard: what was sent and scored, and what to send next."""
