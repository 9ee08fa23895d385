"""The documentation: pages, and in `made` what is made from the code."""
