"""The chart as SVG: a row for each method, a column of bars for each case. A bar is as long as the median ratio to the
binary pipe; the line on it is the spread. The source's limit is left to the table: nothing else would be long enough
to read beside it.

Its background is transparent and its greys are readable on white and on black, as a page cannot tell an image which of
the two it stands on."""

from xml.sax.saxutils import escape

from .methods import METHODS

NAMES, COLUMN, FIGURE = 230, 140, 46  # widths: the names, a column, the figure at its right end
ROW, BAR, TOP = 21, 12, 48
COLOURS = {"ours": "#2f81f7", "tls": "#2f81f7", "peer": "#8b949e", "limit": "#bf8700"}
STYLE = """text { font: 12px sans-serif; fill: #768390 } .head { font-weight: bold }
line { stroke: #768390; stroke-opacity: 0.5 } .spread { stroke: #e5534b; stroke-opacity: 1; stroke-width: 2 }
.one { stroke-dasharray: 4 3; stroke-opacity: 1 }"""


def chart(measured):
    """The whole file."""
    methods = [method for method in measured.measured_methods() if METHODS[method].fills]
    ratios = {(case, method): measured.ratio(case, method) for case in measured.cases for method in methods}
    longest = max([1.0] + [spread.high for spread in ratios.values() if spread])
    scale = (COLUMN - FIGURE) / longest
    width, bottom = NAMES + COLUMN * len(measured.cases), TOP + ROW * len(methods)
    parts = [text(0, 14, "Speed relative to a psql pipe with binary COPY: longer is faster", "head")]
    for index, method in enumerate(methods):
        parts.append(text(NAMES - 8, TOP + index * ROW + BAR - 1, METHODS[method].title, anchor="end"))
    for number, case in enumerate(measured.cases):
        left = NAMES + COLUMN * number
        parts += [text(left, TOP - 12, str(case), "head"), line(left, TOP - 6, left, bottom),
                  line(left + scale, TOP - 6, left + scale, bottom, "one")]
        for index, method in enumerate(methods):
            if ratios[case, method]:
                parts += bar(METHODS[method].kind, ratios[case, method], left, TOP + index * ROW, scale)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom}" width="{width}" height="{bottom}" '
            f'role="img" aria-label="Speed of each method against a binary COPY pipe">\n<style>{STYLE}</style>\n'
            + "\n".join(parts) + "\n</svg>\n")


def bar(kind, spread, left, y, scale):
    """Bar, spread and figure of one method in one case."""
    low, high = left + spread.low * scale, left + spread.high * scale
    parts = [f'<rect x="{left}" y="{y}" width="{spread.median * scale:.1f}" height="{BAR}" rx="2" '
             f'fill="{COLOURS[kind]}"/>', text(left + COLUMN - 14, y + BAR - 1, f"{spread.median:.2f}", anchor="end")]
    return parts + [line(low, y + BAR / 2, high, y + BAR / 2, "spread")] if high > low else parts


def line(x1, y1, x2, y2, style=""):
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def text(x, y, words, style="", anchor="start"):
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
