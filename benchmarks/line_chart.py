"""Line charts as one SVG image that is readable on light and on dark pages."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as xml

WIDTH, HEIGHT, GAP = 260, 130, 56
"""Of a panel, and the room between panels for its labels."""
TICKS = 4
STYLE = """
  svg { font: 11px system-ui, sans-serif }
  svg { --page: #fff; --text: #222; --grid: #ddd; --a: #0b62c4; --b: #c2410c; --c: #777 }
  @media (prefers-color-scheme: dark) {
    svg { --page: #16181d; --text: #e4e4e4; --grid: #3a3d44; --a: #6cb2ff; --b: #ffa05c; --c: #9a9a9a }
  }
  .page { fill: var(--page) } text { fill: var(--text) } .title { font-weight: 600 } .end { text-anchor: end }
  path { fill: none; stroke-width: 1.6; stroke-linejoin: round } .grid { stroke: var(--grid); stroke-width: 1 }
  .line0 { stroke: var(--c); stroke-dasharray: 4 3 } .line1 { stroke: var(--a) } .line2 { stroke: var(--b) }
"""
"""The image has its own background, because a page does not tell an image its colours."""


@dataclass(frozen=True)
class Panel:
    """One diagram: lines over the same minutes."""

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    """Name -> points, at most three; the same names mean the same lines in all panels."""


def draw(description: str, rows: Sequence[Sequence[Panel]]) -> str:
    """Return the SVG of rows of panels, with a legend below; `description` is for those who cannot see it."""
    width = GAP + len(rows[0]) * (WIDTH + GAP)
    height = GAP + len(rows) * (HEIGHT + GAP)
    names = list(dict.fromkeys(name for row in rows for panel in row for name in panel.lines))
    size = {"viewBox": f"0 0 {width} {height}", "role": "img"}
    image = xml.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size})
    xml.SubElement(image, "title").text = description
    xml.SubElement(image, "style").text = STYLE
    xml.SubElement(image, "rect", {"class": "page", "width": f"{width}", "height": f"{height}", "rx": "6"})
    for down, row in enumerate(rows):
        for across, panel in enumerate(row):
            _draw_panel(image, panel, names, GAP + across * (WIDTH + GAP), GAP / 2 + down * (HEIGHT + GAP))
    for number, name in enumerate(names):
        left, top = GAP + number * 150, height - 14
        xml.SubElement(image, "path", {"class": f"line{number}", "d": f"M{left} {top - 4}h24"})
        _write(image, left + 30, top, name)
    xml.indent(image)
    return xml.tostring(image, encoding="unicode") + "\n"


def step(most: float) -> float:
    """Return the distance of the grid's lines for values up to `most`: 1, 2 or 5 times a power of ten."""
    least = most / TICKS
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def _draw_panel(image: xml.Element, panel: Panel, names: Sequence[str], left: float, top: float) -> None:
    points = [point for line in panel.lines.values() for point in line]
    last, most = max(minute for minute, _ in points), max(value for _, value in points)
    distance = step(most)
    highest = math.ceil(most / distance) * distance
    _write(image, left, top - 8, panel.title, "title")
    for number in range(round(highest / distance) + 1):
        y = top + HEIGHT - HEIGHT * number * distance / highest
        xml.SubElement(image, "path", {"class": "grid", "d": f"M{left:g} {y:.1f}h{WIDTH}"})
        _write(image, left - 6, y + 4, f"{number * distance:g}", "end")
    for minute in range(0, math.floor(last) + 1, 15):
        _write(image, left + WIDTH * minute / last, top + HEIGHT + 14, f"{minute} min")
    for name, line in panel.lines.items():
        places = [f"{left + WIDTH * x / last:.1f} {top + HEIGHT - HEIGHT * y / highest:.1f}" for x, y in line]
        xml.SubElement(image, "path", {"class": f"line{names.index(name)}", "d": "M" + "L".join(places)})


def _write(image: xml.Element, x: float, y: float, text: str, kind: str = "") -> None:
    attributes = {"x": f"{x:g}", "y": f"{y:.1f}"} | ({"class": kind} if kind else {})
    xml.SubElement(image, "text", attributes).text = text
