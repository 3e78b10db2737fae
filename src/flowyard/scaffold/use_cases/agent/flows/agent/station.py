"""What the agent can do: look up trains and fares. Both only read."""

import json
from pathlib import Path

TABLE = json.loads((Path(__file__).parent / "timetable.json").read_text(encoding="utf-8"))
STATIONS = {name for each in TABLE["connections"] for name in (each["from"], each["to"])}


def station(name: str) -> str:
    found = {each.casefold(): each for each in STATIONS}.get(str(name).strip().casefold())
    if found is None:
        raise ValueError(f"there is no station {name!r}; there are {', '.join(sorted(STATIONS))}")
    return found


def next_connection(from_station: str, to_station: str, after: str) -> str:
    start, end = station(from_station), station(to_station)
    trains = [each for each in TABLE["connections"] if (each["from"], each["to"]) == (start, end)]
    later = sorted(each["departs"] for each in trains if each["departs"] >= after)
    if not later:
        return f"There is no train from {start} to {end} after {after}."
    train = next(each for each in trains if each["departs"] == later[0])
    return f"The train from {start} to {end} leaves at {train['departs']} and arrives at {train['arrives']}."


def ticket_price(from_station: str, to_station: str, travel_class: str) -> str:
    pair = {station(from_station), station(to_station)}
    if travel_class not in ("first", "second"):
        raise ValueError("travel_class is first or second")
    for fare in TABLE["prices"]:
        if set(fare["between"]) == pair:
            return f"A {travel_class} class ticket costs {fare[travel_class]:g} euros."
    return "There is no through ticket between these stations."


TOOLS = {"next_connection": next_connection, "ticket_price": ticket_price}
