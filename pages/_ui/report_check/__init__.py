"""Parts of the page "Report check", one module a section."""
