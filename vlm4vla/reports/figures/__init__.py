"""One drawing a module: data in, SVG text out, for the page and for notebooks alike."""
