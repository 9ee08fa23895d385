"""What to try: what limits the score, which recipes may help, how a race among them is sized. Rules only; nothing is trained here."""
