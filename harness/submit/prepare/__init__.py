"""What would be sent: a blend of runs, a ready file, a bundle or a notebook; written, checked, forecast, described."""
