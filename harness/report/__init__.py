"""Self-contained HTML pages and figures from plain tables and arrays; knows no stage.

page (text, tables, figures, galleries) -> web (templates, style, scripts); gallery: pictures and what is known of them;
figures, error_figures -> svg (figures that say their values); links, about: what stands above a page
"""
