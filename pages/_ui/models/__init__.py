"""Parts of the page "Models", one module a view."""
