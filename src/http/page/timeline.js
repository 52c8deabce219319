// The timeline: what was open in the last 24 hours, a lane for each alert.

import {
  ago, at, button, clip, h, heading, morph, now, plural, rank, revealAlert, severity, show, span, statusClass, svg, timeOf,
} from './app.js';

const HOUR = 3_600_000;
const LANES = 100;
const ROWS = 500;

/** Spells of one status each: a transition lasts until the next one of its alert, the last one until now. */
function lanesOf(transitions, end) {
  const lanes = new Map();
  for (const { alert_key: key, ...transition } of transitions) {
    const begin = Date.parse(transition.time);
    const lane = lanes.get(key) ?? lanes.set(key, { key, spells: [] }).get(key);
    const before = lane.spells.at(-1);
    if (before) before.end = begin;
    lane.spells.push({ ...transition, begin, end });
  }
  return [...lanes.values()].map(summedUp).filter(({ spells }) => spells.length > 0).sort(worstAndNewestFirst);
}

/** A lane has the spells in which its alert was open. */
function summedUp({ key, spells: all }) {
  const spells = all.filter(({ status }) => status !== 'ok');
  const last = all.at(-1);
  return {
    key, spells,
    status: last.status,
    rule: last.rule,
    summary: spells.at(-1)?.summary,
    worst: Math.min(...spells.map(({ status }) => rank(status))),
    newest: last.begin,
  };
}

const worstAndNewestFirst = (a, b) => a.worst - b.worst || b.newest - a.newest;

/** Full hours of local time, which need not be those of UTC. */
function hoursBetween(from, to) {
  const first = new Date(from);
  first.setMinutes(60, 0, 0);
  const hours = [];
  for (let hour = first.getTime(); hour < to; hour += HOUR) hours.push(new Date(hour));
  return hours;
}

/** Where a moment is drawn. */
const percent = (when, { from, to }) =>
  `${(100 * Math.min(1, Math.max(0, (when - from) / (to - from)))).toFixed(3)}%`;

function grid(range) {
  const lines = hoursBetween(range.from, range.to).map((hour) => {
    const x = percent(hour, range);
    const labelled = hour.getHours() % 3 === 0;
    const few = hour.getHours() % 6 === 0 ? 'six' : 'three';
    return [
      svg('line', { x1: x, x2: x, y1: 20, y2: '100%', class: labelled ? 'major' : 'minor' }),
      labelled && svg('text', { x, y: 13, 'text-anchor': 'middle', class: few }, `${String(hour.getHours()).padStart(2, '0')}:00`),
    ];
  });
  const edge = svg('line', { class: 'now', x1: '100%', x2: '100%', y1: 20, y2: '100%' });
  return svg('svg', { class: 'grid', 'aria-hidden': 'true' }, lines, edge);
}

/** Heights say the status too, for those who do not see the colours: the worse, the higher. */
const HEIGHTS = { critical: 14, warning: 10, info: 6, unknown: 6 };

const describe = ({ status, begin, end, reason }, range) =>
  `${status} from ${timeOf(begin)} to ${end === range.to ? 'now' : timeOf(end)} (${span((end - begin) / 1000)}): ${reason}`;

function bar(spell, range) {
  const kind = statusClass(spell.status);
  const height = HEIGHTS[kind];
  const label = describe(spell, range);
  const [x, end] = [percent(spell.begin, range), percent(spell.end, range)];
  const width = `${(parseFloat(end) - parseFloat(x)).toFixed(3)}%`;
  const place = { x, y: 17 - height, width, height };
  return svg('rect', { class: `bar-${kind}`, ...place, tabindex: -1, role: 'img', 'aria-label': label }, svg('title', {}, label));
}

function laneRow(lane, range) {
  const bars = lane.spells.map((spell) => bar(spell, range));
  const name = clip(lane.summary || lane.rule, 200);
  return h('li', {},
    h('span', { class: 'lane', title: lane.key },
      h('span', { class: `shape ${statusClass(lane.status)}`, role: 'img', 'aria-label': lane.status }),
      lane.status === 'ok' ? h('span', {}, name) : button(name, () => revealAlert(lane.key), { class: 'link' })),
    svg('svg', { class: 'bars', role: 'group', 'aria-label': `${lane.rule}: ${name}` }, bars));
}

function table(transitions) {
  const newest = transitions.slice(-ROWS).reverse();
  return h('table', { class: 'inner' },
    h('caption', {}, `Transitions, newest first${transitions.length > ROWS ? `: ${ROWS} of ${transitions.length}` : ''}`),
    h('thead', {}, h('tr', {}, ['Time', 'Status', 'Rule', 'Reason', 'Summary'].map((head) => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, newest.map(({ time, status, rule, reason, summary }) => h('tr', {},
      [at(time), severity(status), rule, reason, clip(summary, 200)].map((cell) => h('td', {}, cell))))));
}

/** Arrow keys walk along a lane and from lane to lane; the whole chart is one stop of the tab key. */
function walk(event, lanes) {
  const from = event.target.closest('rect');
  if (!from) return;
  const bars = [...from.parentNode.children];
  const rows = [...lanes.querySelectorAll('svg.bars')];
  const row = rows.indexOf(from.parentNode);
  const next = {
    ArrowLeft: () => bars[bars.indexOf(from) - 1],
    ArrowRight: () => bars[bars.indexOf(from) + 1],
    ArrowUp: () => rows[row - 1]?.lastChild,
    ArrowDown: () => rows[row + 1]?.lastChild,
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** The one bar that the tab key comes to: the one that was in focus last, else the first. */
function keepOneStop(lanes) {
  const bars = lanes.querySelectorAll('rect');
  const stop = [...bars].find((one) => one === document.activeElement) ?? bars[0];
  stop?.setAttribute('tabindex', 0);
}

export function view(panel) {
  const readout = h('p', { class: 'readout dim' });
  const rest = 'Point at a bar, or walk there with the arrow keys.';
  const chart = h('div', { class: 'chart' });
  const lanes = h('ol', { class: 'lanes' });
  const more = h('p', { class: 'dim' });
  const known = h('p', { class: 'dim' });
  const asTable = h('details', { class: 'as-table' }, h('summary', {}, 'As a table'), h('div', { class: 'scrolls' }));
  let history = null;

  const tell = ({ target }) => {
    const one = target.closest?.('rect');
    readout.textContent = one ? `${one.parentNode.getAttribute('aria-label')}: ${one.getAttribute('aria-label')}` : rest;
  };
  chart.onmouseover = tell;
  chart.onmouseleave = tell;
  chart.addEventListener('focusin', (event) => {
    chart.querySelector('[tabindex="0"]')?.setAttribute('tabindex', -1);
    event.target.closest('rect')?.setAttribute('tabindex', 0);
    tell(event);
  });
  chart.onkeydown = (event) => walk(event, lanes);
  // Ten thousand transitions that nobody reads are never made into rows.
  asTable.ontoggle = () => drawTable();
  readout.textContent = rest;
  chart.append(h('div', { class: 'grid' }), lanes);
  panel.append(heading('Last 24 hours', legend()), readout, chart, more, known, asTable);

  function drawTable() {
    if (asTable.open && history) show(asTable.lastChild, table(history.transitions));
  }

  function draw({ history: { data } }) {
    if (!data) return;
    history = data;
    const range = { from: now() - 24 * HOUR, to: now() };
    const all = lanesOf(data.transitions, range.to);
    chart.firstChild.replaceChildren(grid(range));
    morph(lanes, h('ol', { class: 'lanes' }, all.slice(0, LANES).map((lane) => laneRow(lane, range))));
    keepOneStop(lanes);
    chart.hidden = all.length === 0;
    more.textContent = all.length === 0 ? 'No alert was open.'
      : all.length > LANES ? `And ${plural(all.length - LANES, 'more alert')}.` : '';
    const late = Date.parse(data.from) > range.from + 60_000;
    show(known, late && ['Known since ', timeOf(data.from), ', ', ago(data.from), ' ago.']);
    drawTable();
  }
  return { draw };
}

const legend = () => h('span', { class: 'legend' }, ['critical', 'warning', 'info'].map(severity));
