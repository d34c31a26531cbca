"""What a ladder's page looks like, and what it does."""

from __future__ import annotations

from typing import Final

STYLE: Final = """\
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1c2330; --soft: #5d6778; --line: #c6ccd6; --raised: #f3f5f8; --mark: #dbe7ff;
  --none: #5d6778; --early: #a34c06; --handshake: #1d4ed8; --application: #127038; --unread: #b91c1c;
  --event: #6d28d9;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme="light"]) {
    --page: #11151c; --text: #e6e9ef; --soft: #a3adbb; --line: #3c4655; --raised: #1a202a; --mark: #22324f;
    --none: #a3adbb; --early: #fbbf24; --handshake: #8ab1ff; --application: #5fd38a; --unread: #ff8a80;
    --event: #c9b0ff;
  }
}
:root[data-theme="dark"] {
  color-scheme: dark;
  --page: #11151c; --text: #e6e9ef; --soft: #a3adbb; --line: #3c4655; --raised: #1a202a; --mark: #22324f;
  --none: #a3adbb; --early: #fbbf24; --handshake: #8ab1ff; --application: #5fd38a; --unread: #ff8a80;
  --event: #c9b0ff;
}
:root[data-theme="light"] { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 72rem; padding: 0 1rem 4rem; background: var(--page); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif;
}
header { position: sticky; top: 0; background: var(--page); padding: .8rem 0; border-bottom: 1px solid var(--line);
  z-index: 1; }
h1 { font-size: 1.2rem; margin: 0 0 .3rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
form { display: flex; gap: .6rem; align-items: center; }
input { flex: 1; max-width: 26rem; font: inherit; padding: .3rem .5rem; }
.legend span { border-bottom: 3px solid; margin-right: .9rem; padding-bottom: 1px; font-size: .85rem; }
.legend .unread { border-bottom-style: dashed; }
.legend, .keys { margin: .4rem 0; } .keys, output { color: var(--soft); font-size: .85rem; }
.keys span { margin-right: .9rem; white-space: nowrap; }
kbd { font: .8rem ui-monospace, monospace; border: 1px solid var(--line); border-radius: 3px; padding: 0 .3rem; }
.none { --keys: var(--none); } .early { --keys: var(--early); } .handshake { --keys: var(--handshake); }
.application { --keys: var(--application); } .unread { --keys: var(--unread); }
.legend span { border-color: var(--keys); }
.ends { display: flex; justify-content: space-between; margin-top: 1rem; }
.rails { border: solid var(--line); border-width: 0 3px; padding: .5rem 0; }
.row { margin: .1rem 0; padding: 0 .5rem; } .row[hidden] { display: none; }
.line { margin: 0; display: flex; gap: .7rem; align-items: baseline; padding: .25rem .3rem; list-style: none; }
.server > .line { flex-direction: row-reverse; text-align: right; }
summary { cursor: pointer; border-radius: 4px; } summary::-webkit-details-marker { display: none; }
summary:hover { background: var(--raised); } summary:focus-visible { outline: 2px solid var(--handshake); }
.name { font: 14px/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
details > .line > .name::before { content: "\\25b8\\a0"; color: var(--soft); }
details[open] > .line > .name::before { content: "\\25be\\a0"; }
.size, time { color: var(--soft); font-size: .8rem; white-space: nowrap; }
.row:not(.event, .sum) > .line { position: relative; padding-bottom: .6rem; }
.row:not(.event, .sum) > .line::after {
  content: ""; position: absolute; left: .2rem; right: .2rem; bottom: .15rem; border-bottom: 2px solid var(--keys);
}
.row.unread > .line::after { border-bottom-style: dashed; }
.row:not(.event, .sum) > .line::before {
  content: ""; position: absolute; bottom: calc(.15rem - 4px); border: 5px solid transparent;
}
.client:not(.event, .sum) > .line::before { right: -.1rem; border-left-color: var(--keys); border-right: 0; }
.server:not(.event, .sum) > .line::before { left: -.1rem; border-right-color: var(--keys); border-left: 0; }
.event .name { color: var(--event); } .sum .name { color: var(--soft); font-size: .8rem; }
dl { margin: .2rem 1rem .8rem; padding: .5rem .8rem; background: var(--raised); border-radius: 6px;
  font-size: .9rem; }
dl div { display: grid; grid-template-columns: minmax(9rem, 15rem) 1fr; gap: .8rem; padding: .1rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-line; font-family: ui-monospace,
  "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .85rem; }
mark, .found > .line { background: var(--mark); color: inherit; }
.notes { color: var(--soft); }
@media (max-width: 40rem) { dl div { grid-template-columns: 1fr; gap: 0; } time { display: none; } }
@media print { header { position: static; } form, .keys { display: none; } }
"""

SCRIPT: Final = """\
"use strict";
const search = document.getElementById("search"), found = document.getElementById("found");
const rows = [...document.querySelectorAll(".row")], texts = rows.map(row => row.textContent.toLowerCase());
function look() {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let count = 0;
  rows.forEach((row, at) => {
    const fits = words.every(word => texts[at].includes(word));
    row.hidden = !fits;
    row.classList.toggle("found", fits && words.length > 0);
    count += fits;
  });
  found.value = words.length ? `${count} of ${rows.length} rows` : "";
  history.replaceState(null, "", words.length ? "#" + encodeURIComponent(search.value) : "#");
}
function move(by) {
  const seen = rows.filter(row => !row.hidden).map(row => row.querySelector("summary")).filter(Boolean);
  const at = seen.indexOf(document.activeElement);
  const next = seen[at < 0 ? (by > 0 ? 0 : seen.length - 1) : Math.min(Math.max(at + by, 0), seen.length - 1)];
  if (next) { next.focus(); next.scrollIntoView({block: "center"}); }
}
function all() {
  const seen = rows.filter(row => !row.hidden && row.tagName === "DETAILS");
  const open = !seen.every(row => row.open);
  seen.forEach(row => { row.open = open; });
}
function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, root = document.documentElement;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
}
const keys = {"j": () => move(1), "ArrowDown": () => move(1), "k": () => move(-1), "ArrowUp": () => move(-1),
  "/": () => search.focus(), "o": all, "d": theme};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { search.value = ""; search.blur(); look(); return; }
  if (document.activeElement === search && event.key !== "ArrowDown") return;
  const act = keys[event.key];
  if (act) { event.preventDefault(); act(); }
});
search.addEventListener("input", look);
search.form.addEventListener("submit", event => { event.preventDefault(); move(1); });
if (location.hash.length > 1) { search.value = decodeURIComponent(location.hash.slice(1)); look(); }
"""
