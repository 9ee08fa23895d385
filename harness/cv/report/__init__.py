"""What is said of a run: report.html (page, and targets for labels and numbers), and the lines of the terminal (summary)."""
