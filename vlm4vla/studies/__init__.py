"""Research done with the harness, a folder each. They import anything; nothing imports them."""
