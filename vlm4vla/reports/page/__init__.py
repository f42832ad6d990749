"""The HTML page: one file that needs no other, to be mailed, printed or read on a phone."""

from vlm4vla.reports.page.content import collect
from vlm4vla.reports.page.render import Sheet, write_page

__all__ = ["Sheet", "collect", "write_page"]
