"""Drift as one page that needs nothing else: of each feature a picture of what was and what is."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from flowyard import __version__
from flowyard._util.moments import moment_text
from flowyard._util.numbers import percent_text
from flowyard._util.printable import printable_text
from flowyard.production.drift.model import Bin, DriftReport, DriftSettings, FeatureDrift
from flowyard.production.exchanges.series import Window
from flowyard.reports.page import content_policy, page_environment, read_asset, valid_text
from flowyard.reports.values import one_line

__all__ = ["render_drift"]

_WIDTH, _ROW, _LABEL, _SHARE = 380, 26, 128, 40
_MOST_BINS = 12
_MOST_FEATURES = 60


def render_drift(flow: str, report: DriftReport, settings: DriftSettings, span: Window, reference: str) -> str:
    """The page's whole text. All of it that comes from records is escaped."""
    environment = page_environment()
    style = read_asset(environment, "index.css") + read_asset(environment, "drift.css")
    page = environment.get_template("drift.html.j2").render(
        flow=flow,
        report=report,
        settings=settings,
        span=f"{moment_text(span.since)} to {moment_text(span.until)}",
        reference=reference,
        features=[(each, feature_chart(each)) for each in report.features[:_MOST_FEATURES]],
        left_out=max(0, len(report.features) - _MOST_FEATURES),
        current=sum(report.current_records.values()),
        style=style,
        policy=content_policy(style, ""),
        version=__version__,
    )
    return valid_text(page)


def feature_chart(drift: FeatureDrift) -> Markup | None:
    """Two bars for each bin: the share before above, now below; None for vectors, which have no bins."""
    if not drift.bins:
        return None
    shown: Sequence[Bin] = drift.bins
    if drift.kind == "category":
        shown = sorted(drift.bins, key=lambda each: -max(each.reference, each.current))[:_MOST_BINS]
    top = max(max(each.reference, each.current) for each in shown) or 1.0
    rows = [_row(place * _ROW, each, top) for place, each in enumerate(shown)]
    said = "; ".join(
        f"{_name(each)}: {percent_text(each.reference)} before, {percent_text(each.current)} now" for each in shown
    )
    start = Markup('<svg viewBox="0 0 {} {}" role="img"><title>{}</title><desc>{}</desc>')
    title = printable_text(f"{drift.feature} of version {drift.version}")
    return start.format(_WIDTH, len(shown) * _ROW, title, said) + Markup("").join(rows) + Markup("</svg>")


def _row(y: int, each: Bin, top: float) -> Markup:
    name = _name(each)
    label = Markup('<text x="0" y="{}">{}<title>{}</title></text>').format(y + 15, one_line(name, most=18), name)
    room = _WIDTH - _LABEL - _SHARE
    bar = Markup('<rect class="{}" x="{}" y="{}" width="{:.1f}" height="8" rx="2"/>')
    bars = [
        bar.format(style, _LABEL, y + offset, max(share / top * room, 0.5))
        for style, share, offset in (("was", each.reference, 3), ("is", each.current, 13))
    ]
    share = Markup('<text class="share" x="{}" y="{}" text-anchor="end">{}</text>')
    return label + Markup("").join(bars) + share.format(_WIDTH, y + 20, percent_text(each.current))


def _name(each: Bin) -> str:
    return printable_text(each.label) or "(empty)"
