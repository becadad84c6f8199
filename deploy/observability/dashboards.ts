import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Board, boards, type Metric, register } from './register.ts'

/**
 * Writes Grafana's dashboards from the register: `node deploy/observability/dashboards.ts`. A test
 * fails where the files are not what this makes.
 */
export const dashboardsFolder = resolve(import.meta.dirname, 'grafana/dashboards')

type Query = { expr: string; legend: string }
type Panel = { title: string; description: string; unit: string; queries: Query[] }

const titles: Record<Board, string> = {
  overview: 'Overview',
  messages: 'Messages',
  money: 'Money',
  edge: 'Edge',
}

const count = 'http_request_duration_seconds_count'
const bucket = 'http_request_duration_seconds_bucket'
const quantile = (part: number, metric: string, by: string, where = '') =>
  `histogram_quantile(${part}, sum by (${by}, le) (rate(${metric}${where}[$__rate_interval])))`

/** Rate, errors and duration, by service and by route; what the register alone would not say so. */
const requests: readonly Panel[] = [
  {
    title: 'Processes that answer',
    description: 'By service; 0 is one that does not.',
    unit: 'short',
    queries: [{ expr: 'sum by (service) (up)', legend: '{{service}}' }],
  },
  {
    title: 'Requests',
    description: 'Per second, by service.',
    unit: 'reqps',
    queries: [
      { expr: `sum by (service) (rate(${count}[$__rate_interval]))`, legend: '{{service}}' },
    ],
  },
  {
    title: 'Errors',
    description: 'Share of the requests that were answered with a 5xx, by service.',
    unit: 'percentunit',
    queries: [
      {
        expr: `sum by (service) (rate(${count}{status=~"5.."}[$__rate_interval])) / sum by (service) (rate(${count}[$__rate_interval]))`,
        legend: '{{service}}',
      },
    ],
  },
  {
    title: 'Duration',
    description: 'Ninety-nine of a hundred requests are faster, by service.',
    unit: 's',
    queries: [{ expr: quantile(0.99, bucket, 'service'), legend: '{{service}}' }],
  },
  {
    title: 'Requests by route',
    description: 'Per second at the gateways.',
    unit: 'reqps',
    queries: [
      {
        expr: `topk(10, sum by (method, route) (rate(${count}{service="gateway"}[$__rate_interval])))`,
        legend: '{{method}} {{route}}',
      },
    ],
  },
  {
    title: 'Errors by route',
    description: 'Per second at the gateways, answered with a 5xx.',
    unit: 'reqps',
    queries: [
      {
        expr: `sum by (method, route, status) (rate(${count}{service="gateway",status=~"5.."}[$__rate_interval]))`,
        legend: '{{status}} {{method}} {{route}}',
      },
    ],
  },
  {
    title: 'Duration by route',
    description: 'Ninety-nine of a hundred requests at the gateways are faster: the ten slowest.',
    unit: 's',
    queries: [
      {
        expr: `topk(10, ${quantile(0.99, bucket, 'route', '{service="gateway"}')})`,
        legend: '{{route}}',
      },
    ],
  },
  {
    title: 'Delay of the event loop',
    description: 'By service, of its worst process.',
    unit: 's',
    queries: [
      { expr: 'max by (service) (nodejs_eventloop_lag_p99_seconds)', legend: '{{service}}' },
    ],
  },
]

const cacheHits: Panel = {
  title: 'Answers from the cache',
  description: 'Share of the answers of routes with a cache rule that no service had to make.',
  unit: 'percentunit',
  queries: [
    {
      expr: 'sum(rate(gateway_cache_answers_total{found=~"hit|stale|shared"}[$__rate_interval])) / sum(rate(gateway_cache_answers_total{found!="collapsed"}[$__rate_interval]))',
      legend: 'share',
    },
  ],
}

const special: Record<Board, readonly Panel[]> = {
  overview: requests,
  messages: [],
  money: [],
  edge: [cacheHits],
}

const units = { seconds: 's', bytes: 'bytes' } as const

function toPanel({ name, type, unit, labels, meaning }: Metric): Panel {
  // An address is one process; the service is what people look for.
  const by = ['service', ...labels.filter((label) => label !== 'address')]
  const legend = by.map((label) => `{{${label}}}`).join(' ')
  const common = { title: name, description: meaning }
  if (type === 'counter') {
    const expr = `sum by (${by.join(', ')}) (rate(${name}[$__rate_interval]))`
    return { ...common, unit: 'cps', queries: [{ expr, legend }] }
  }
  const own = unit === undefined ? 'short' : units[unit]
  if (type === 'gauge') {
    return {
      ...common,
      unit: own,
      queries: [{ expr: `max by (${by.join(', ')}) (${name})`, legend }],
    }
  }
  const queries = [0.5, 0.99].map((part) => ({
    expr: quantile(part, `${name}_bucket`, by.join(', ')),
    legend: `${legend} p${part * 100}`,
  }))
  return { ...common, unit: own, queries }
}

const [width, height] = [12, 8]

/** A dashboard as Grafana takes it from a file. */
function toDashboard(board: Board): object {
  const own = register.filter((each) => each.board === board).map(toPanel)
  const panels = [...special[board], ...own].map((panel, index) => ({
    id: index + 1,
    type: 'timeseries',
    title: panel.title,
    description: panel.description,
    datasource: { type: 'prometheus', uid: 'prometheus' },
    gridPos: { x: (index % 2) * width, y: Math.floor(index / 2) * height, w: width, h: height },
    fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
    targets: panel.queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode(65 + at),
      datasource: { type: 'prometheus', uid: 'prometheus' },
      expr,
      legendFormat: legend,
    })),
  }))
  return {
    uid: `halles-${board}`,
    title: `Halles: ${titles[board]}`,
    tags: ['halles'],
    schemaVersion: 39,
    editable: false,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    links: [{ type: 'dashboards', tags: ['halles'], title: 'Halles', asDropdown: true }],
    panels,
  }
}

/** The text of each dashboard, by the name of its file. */
export function dashboardFiles(): Record<string, string> {
  return Object.fromEntries(
    boards.map((board) => [`${board}.json`, `${JSON.stringify(toDashboard(board), null, 2)}\n`]),
  )
}

if (import.meta.main) {
  mkdirSync(dashboardsFolder, { recursive: true })
  for (const [name, text] of Object.entries(dashboardFiles())) {
    writeFileSync(resolve(dashboardsFolder, name), text)
  }
}
