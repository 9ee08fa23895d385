"""Self-contained HTML pages and figures from plain tables and arrays; knows no stage."""
