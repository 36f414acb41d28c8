"""A part of a Markdown page that a program writes, between two marks."""


def write_between(path, begin, end, text):
    """Puts `text`, which begins and ends with the marks, in place of what stands there; at the page's end if it has none."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    start, stop = page.find(begin), page.find(end)
    page = page.rstrip("\n") + "\n\n" + text if start < 0 else page[:start] + text + page[stop + len(end) + 1:]
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
