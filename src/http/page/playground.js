// The playground: rules against lines, answered by the engine of the daemon. Nothing that is typed here is kept there.

import { api, at, button, clip, copy, dim, h, heading, number, plural, severity, show, storage, svg, timeOf, visible } from './app.js';

const WAIT = 400;
const MOST_BYTES = 65_536;
const COLOURS = 6;
const CHARTS = 12;

const RULES = String.raw`[[rule]]
name     = "ssh_bruteforce"
source   = "auth"
match    = '^%{syslog} sshd(?:-session)?\[\d+\]: Failed \S+ for (?:invalid user )?(?<user>.*) from %{ip:src_ip} port \d+(?: ssh2)?$'
where    = 'src_ip !~ "^10\.0\."'
by       = ["src_ip"]
within   = "10m"
warning  = ">= 5"
critical = ">= 50"
summary  = "{count} failed logins from {src_ip} in {within}"
`;
const LINES = `Jan  5 10:00:00 web-1 sshd[812]: Failed password for root from 192.0.2.7 port 38926 ssh2
Jan  5 10:00:21 web-1 sshd[812]: Failed password for root from 192.0.2.7 port 38926 ssh2
Jan  5 10:01:02 web-1 sshd[814]: Accepted publickey for ada from 192.0.2.9 port 51022 ssh2
Jan  5 10:01:40 web-1 sshd[820]: Failed password for invalid user admin from 192.0.2.7 port 40112 ssh2
Jan  5 10:02:05 web-1 sshd[821]: Failed password for invalid user x from 10.0.0.1 from 192.0.2.7 port 40113 ssh2
Jan  5 10:02:11 web-1 sshd[822]: Failed password for root from 10.0.3.4 port 40114 ssh2
Jan  5 10:03:30 web-1 sshd[825]: Failed password for root from 192.0.2.7 port 40120 ssh2
`;

const CASES = { match: 'match', resolve: 'recovery', dismissed: 'dismissed' };

// ---- Problems ----

/** Where a place of the TOML text, counted in characters from 1, is in the units of the textarea. */
function offsetOf(text, line, column) {
  const lines = text.split('\n');
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  return before + Array.from(lines[line - 1] ?? '').slice(0, column - 1).join('').length;
}

function moveCaret(area, { line, column, length }) {
  const at = offsetOf(area.value, line, column);
  area.focus();
  area.setSelectionRange(at, at + (length ?? 0));
  // Browsers do not scroll to a selection that is made by a program.
  area.scrollTop = (line - 3) * parseFloat(getComputedStyle(area).lineHeight);
}

const problemItem = (problem, area) => h('li', { class: problem.level === 'error' ? 'critical' : 'warning' },
  h('strong', {}, problem.level), ' ',
  problem.line != null && button(`line ${problem.line}, column ${problem.column}`, () => moveCaret(area, problem), { class: 'link' }),
  h('span', { class: 'text' }, ` ${problem.message} `), h('code', { class: 'dim' }, problem.id),
  problem.help && h('span', { class: 'why' }, problem.help));

// ---- Lines ----

/** The captures of a line in the order of its text, each with a colour; those that lie inside of another are not marked. */
function marksOf(taken) {
  const all = taken.flatMap(({ rule, captures }) => captures.map((capture) => ({ ...capture, rule })));
  const placed = all.filter(({ from, to }) => from != null && to > from).sort((a, b) => a.from - b.from || b.to - a.to);
  let end = 0;
  return placed.filter(({ from, to }) => from >= end && (end = to));
}

/** Each name has its colour, the same in every line. */
function colours() {
  const known = new Map();
  return (name) => `c${known.get(name) ?? known.set(name, known.size % COLOURS).get(name)}`;
}

function highlighted(text, marks, colour) {
  let at = 0;
  const pieces = marks.flatMap(({ name, value, rule, from, to }) => {
    const plain = text.slice(at, from);
    at = to;
    return [plain, h('mark', { class: colour(name), title: `${name} = ${value} (${rule})` }, text.slice(from, to))];
  });
  return [...pieces, text.slice(at)];
}

function lineItem({ number: n, text, taken }, colour) {
  const by = taken.map(({ rule, as, captures }) => h('span', { class: 'taken' },
    h('span', { class: 'rule' }, rule), ` ${CASES[as] ?? as} `,
    captures.map(({ name, value }) => h('span', { class: `chip ${colour(name)}` }, `${clip(name, 32)}=${clip(value, 60)}`))));
  return h('li', { class: taken.length ? null : 'dim' },
    h('span', { class: 'number' }, String(n)),
    h('span', { class: 'text' }, highlighted(text, marksOf(taken), colour), by));
}

// ---- Measures ----

const WIDTH = 600;
const HEIGHT = 100;

/** A measure holds its value until the next point: steps, not slopes. */
function stepPath(points, x, y) {
  const steps = points.map(([at, value], i) => (i ? `H${x(at)}V${y(value)}` : `M${x(at)} ${y(value)}`));
  return `${steps.join('')}H${WIDTH}`;
}

function chart({ rule, key, levels, points: given }) {
  const points = given.map(([at, value]) => [Date.parse(at), value]);
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const highest = Math.max(...points.map(([, value]) => value));
  // The lowest level is always in sight. Those far above would press the line to the ground: they are told in words.
  const ladder = Object.entries(levels).sort(([, a], [, b]) => a - b);
  const reach = 1.2 * Math.max(highest, ladder[0]?.[1] ?? 0) || 1;
  const shown = ladder.filter(([, level]) => level <= reach);
  const above = ladder.filter(([, level]) => level > reach);
  const x = (at) => (last > first ? ((at - first) / (last - first)) * (WIDTH - 8) : 0).toFixed(1);
  const y = (value) => (HEIGHT - (value / reach) * HEIGHT).toFixed(1);
  const percent = (value) => `${(100 - (100 * value) / reach).toFixed(2)}%`;
  const who = Object.entries(key).map((pair) => pair.join('=')).join(' ');
  const label = `${rule} ${who}: ${plural(points.length, 'point')}, highest ${number(highest)}`;
  const told = [` highest ${number(highest)}, last ${number(points.at(-1)[1])}`,
    ...above.map(([name, level]) => `${name} is at ${number(level)}`)];
  return h('figure', { class: 'measure' },
    h('figcaption', {}, h('span', { class: 'rule' }, rule), ' ', clip(who, 120), dim(told.join('; '))),
    svg('svg', { class: 'plot', role: 'img', 'aria-label': label },
      svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', width: '100%', height: '100%' },
        svg('path', { class: 'line', d: stepPath(points, x, y) })),
      shown.map(([name, level]) => [
        svg('line', { class: `level-${name}`, x1: 0, x2: '100%', y1: percent(level), y2: percent(level) }),
        svg('text', { x: 4, y: percent(level), dy: -3 }, `${name} ${number(level)}`),
      ])),
    h('div', { class: 'axis dim' }, h('span', {}, timeOf(first)), h('span', {}, timeOf(last))));
}

// ---- What would be sent, and tests ----

const sentItem = (one) => h('li', {}, h('details', {},
  h('summary', {}, severity(one.status), at(one.time),
    h('span', { class: 'text' }, clip(one.summary, 300)), dim(`${one.reason}, was ${one.previous}`)),
  h('pre', { tabindex: 0 }, JSON.stringify(one, null, 2))));

/** A basic string of TOML. */
function tomlString(text) {
  const short = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\t': '\\t', '\r': '\\r', '\b': '\\b', '\f': '\\f' };
  const escaped = (c) => short[c] ?? `\\U${c.codePointAt(0).toString(16).padStart(8, '0')}`;
  // What `visible` would show as an escape is one in the test too: whoever reads the file sees what is in it.
  return `"${Array.from(text, (c) => (short[c] || visible(c) !== c ? escaped(c) : c)).join('')}"`;
}

const tomlKey = (name) => (/^[A-Za-z0-9_-]+$/.test(name) ? name : tomlString(name));

/** The source that the rules name, for tests have to name one. */
const sourceIn = (rules) => /^\s*source\s*=\s*\[?\s*["']([\w-]+)["']/m.exec(rules)?.[1] ?? 'app';

function asTest({ lines }, { rules, format, multiline }) {
  const block = ({ text, taken }) => {
    const takers = taken.filter(({ as }) => as !== 'dismissed');
    const names = takers.map(({ rule }) => tomlString(rule));
    const captures = takers.length === 1 ? takers[0].captures.map(({ name, value }) => `${tomlKey(name)} = ${tomlString(value)}`) : [];
    return [
      '[[line]]', `source = ${tomlString(sourceIn(rules))}`,
      format !== 'plain' && `format = ${tomlString(format)}`, multiline && `multiline = ${tomlString(multiline)}`,
      `text = ${tomlString(text)}`,
      // A line that `where` dismisses is taken by no rule; of one that several take captures are not asked.
      `rule = ${names.length === 0 ? 'false' : names.length === 1 ? names[0] : `[${names.join(', ')}]`}`,
      captures.length > 0 && `captures = { ${captures.join(', ')} }`,
    ].filter(Boolean).join('\n');
  };
  return `${lines.filter(({ taken }) => taken.length > 0).map(block).join('\n\n')}\n`;
}

// ---- The view ----

const select = (label, options) => h('label', {}, `${label} `, h('select', {}, options.map((option) => h('option', {}, option))));

function editor(label, text, rows) {
  const area = h('textarea', { rows, spellcheck: 'false', autocomplete: 'off', wrap: 'off' });
  area.value = text;
  return { area, element: h('label', { class: 'editor' }, label, area) };
}

export function view(panel) {
  const rules = editor('Rules (TOML)', storage.get('sessionStorage', 'tripline.rules') ?? RULES, 14);
  const lines = editor('Lines', storage.get('sessionStorage', 'tripline.lines') ?? LINES, 14);
  const format = select('Format', ['plain', 'json', 'logfmt']);
  const multiline = select('Records', ['each line', 'java', 'python', 'go', 'indented']);
  const state = h('span', { class: 'dim', role: 'status' });
  const results = h('div', { class: 'results' });
  let running = null;
  let timer = 0;

  const input = () => ({
    rules: rules.area.value,
    lines: lines.area.value,
    format: format.lastChild.value,
    multiline: multiline.lastChild.selectedIndex > 0 ? multiline.lastChild.value : null,
  });

  async function run() {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    const given = input();
    storage.set('sessionStorage', 'tripline.rules', given.rules);
    storage.set('sessionStorage', 'tripline.lines', given.lines);
    try {
      if (new Blob([given.rules, given.lines]).size > MOST_BYTES) throw new Error('rules and lines may have 64 KiB together');
      const answer = await api('POST', 'try', given, signal);
      state.textContent = summary(answer);
      draw(answer, given);
    } catch (error) {
      if (signal.aborted) return;
      state.textContent = visible(`Not tried: ${error.message}`);
      results.classList.add('old');
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(run, WAIT);
  }

  function draw(answer, given) {
    const { problems, lines: tried, measures, sent, left_out: leftOut } = answer;
    const colour = colours();
    const charts = measures.filter(({ points }) => points.length > 0);
    results.classList.remove('old');
    show(results,
      problems.length > 0 && [
        h('h2', {}, 'Problems'),
        h('ul', { class: 'problem' }, problems.map((problem) => problemItem(problem, rules.area))),
      ],
      leftOut && h('p', { class: 'problem' }, leftOut),
      tried.length > 0 && [
        heading('Lines', button('Copy as test', () => copy(asTest(answer, given)))),
        h('ol', { class: 'tried' }, tried.map((line) => lineItem(line, colour))),
      ],
      charts.length > 0 && [h('h2', {}, 'Measures'), charts.slice(0, CHARTS).map(chart),
        charts.length > CHARTS && h('p', { class: 'dim' }, `And ${plural(charts.length - CHARTS, 'key')} more.`)],
      tried.length > 0 && [h('h2', {}, 'Sent'), sent.length > 0
        ? h('ol', { class: 'sent' }, sent.map(sentItem))
        : h('p', { class: 'dim' }, 'Nothing would be sent.')]);
  }

  panel.append(
    heading('Playground', format, multiline, button('Example again', () => {
      rules.area.value = RULES;
      lines.area.value = LINES;
      run();
    }), state),
    h('div', { class: 'editors' }, rules.element, lines.element), results);
  panel.addEventListener('input', soon);
  run();
  return { draw() {} };
}

function summary({ problems, lines, sent }) {
  if (problems.some(({ level }) => level === 'error')) return plural(problems.length, 'problem');
  const taken = lines.filter(({ taken: by }) => by.length > 0).length;
  return `${number(taken)} of ${plural(lines.length, 'line')} taken, ${plural(sent.length, 'transition')} sent`;
}
