"""Reports: aligned columns for terminals, self-contained HTML pages, help texts."""
