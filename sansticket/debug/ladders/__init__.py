"""Ladders as pictures: SVG, and a page for a browser."""
