import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { chartFolder } from '../src/deploy/chart.ts'
import { chartFaults, exampleValues, renderChart, schemaFaults } from '../src/deploy/chart-check.ts'
import { chartServices } from '../src/deploy/chart-topology.ts'
import { type Manifest, workloadsOf } from '../src/deploy/manifests.ts'
import { platformSecrets } from '../src/deploy/platform-secrets.ts'
import { helmTool, validatorTool } from '../src/deploy/tools.ts'
import { readConfigOf } from './service-config.ts'

const helm = helmTool.installed() ?? ''
const validator = validatorTool.installed() ?? ''
const isMissing = helm === '' || validator === ''
const skip = isMissing && 'helm and kubernetes-validate: npm run check:deploy gets them'
const existing = resolve(chartFolder, '../examples/existing.yaml')

type Fault = {
  title: string
  /** The file of the chart, what is replaced in it and by what. */
  edit?: readonly [string, string | RegExp, string]
  /** Values besides those of the example. */
  values?: string
  expected: RegExp
}

const deployments = 'templates/deployments.yaml'
const network = 'templates/network-policies.yaml'
const helpers = 'templates/_helpers.tpl'
const dnsOfServices = `    {{- include "halles.dnsRule" $ | nindent 4 }}
    {{- range $service.calls }}`

const cartsToPayments = `    {{- if eq $name "carts" }}
    - to:
        - podSelector:
            matchLabels:
              {{- include "halles.pods" (dict "root" $ "component" "payments") | nindent 14 }}
      ports:
        - port: 9090
    {{- end }}
${dnsOfServices}`

const faults: readonly Fault[] = [
  {
    title: 'a container without a readiness probe',
    edit: [deployments, /readinessProbe:\n(?: {12}.*\n)+/, ''],
    expected: /Deployment shop-halles-carts container carts has no readinessProbe\./,
  },
  {
    title: 'a container without limits',
    values: 'defaults: { resources: { limits: null } }',
    expected: /Deployment shop-halles-web container web has no resources\.limits\.memory\./,
  },
  {
    title: 'a root file system that can be written to',
    edit: [helpers, 'readOnlyRootFilesystem: true', 'readOnlyRootFilesystem: false'],
    expected: /container auth may write to its root file system\./,
  },
  {
    title: 'a capability that is kept',
    edit: [helpers, 'drop: [ALL]', 'drop: [NET_RAW]'],
    expected: /container rbac does not drop ALL capabilities\./,
  },
  {
    title: 'a pod that may run as root',
    edit: [helpers, /^runAsNonRoot: true\nrunAsUser/m, 'runAsUser'],
    expected: /Deployment shop-halles-orders may run as root\./,
  },
  {
    title: 'a folder of the node',
    edit: [helpers, '  emptyDir:\n    sizeLimit: 64Mi', '  hostPath:\n    path: /var'],
    expected: /Job shop-halles-orders-migration mounts a volume of kind hostPath\./,
  },
  {
    title: 'a token of the Kubernetes API',
    edit: [deployments, 'automountServiceAccountToken: false', ''],
    expected: /Deployment shop-halles-products mounts a token of the Kubernetes API\./,
  },
  {
    title: 'a pod that is killed while it drains',
    edit: [deployments, '{{ add $settings.preStopSeconds 35 }}', '30'],
    expected: /Deployment shop-halles-gateway is killed after 30 s, and may need 40 s to drain\./,
  },
  {
    title: 'a service without a PodDisruptionBudget',
    edit: ['templates/services.yaml', /---\napiVersion: policy\/v1[\s\S]*?(?={{- end }}\n$)/, ''],
    expected: /Deployment shop-halles-payments has no PodDisruptionBudget\./,
  },
  {
    title: 'a measurement that nobody exports',
    edit: ['templates/autoscaling.yaml', 'nodejs_eventloop_lag_p99_seconds', 'event_loop_delay'],
    expected: /shop-halles-carts is scaled by event_loop_delay, which no service exports\./,
  },
  {
    title: 'an arrow that the architecture has not',
    edit: [network, dnsOfServices, cartsToPayments],
    expected:
      /NetworkPolicy lets out carts → payments \(grpc\): the architecture has no such arrow\./,
  },
  {
    title: 'an arrow that is missing at its end',
    edit: [network, '{{- range $service.calledBy }}', '{{- range list }}'],
    expected:
      /NetworkPolicy never lets in orders → carts \(grpc\): the architecture has that arrow\./,
  },
  {
    title: 'a policy that lets everybody in',
    edit: [network, /- from:\n {8}{{- toYaml \$.Values.networkPolicy.clients .*/, '- from: []'],
    expected: /NetworkPolicy lets in anywhere → gateway \(http\)/,
  },
  {
    title: 'network policies that are switched off',
    values: 'networkPolicy: { enabled: false }',
    expected: /NetworkPolicy: nothing denies egress of payments\./,
  },
  {
    title: 'a secret as plain text in the templates',
    edit: [
      helpers,
      '- name: INSTANCE_ID',
      '- name: STRIPE_API_KEY\n  value: hidden\n- name: INSTANCE_ID',
    ],
    expected: /container payments has the secret STRIPE_API_KEY in its environment/,
  },
  {
    title: 'a secret as plain text in the values',
    values: 'env: { INTERNAL_SECRET: "0123456789abcdef0123456789abcdef" }',
    expected: /INTERNAL_SECRET of \w+ is a secret: put it into its Secret/,
  },
  {
    title: 'an address with a password in the values',
    values: 'services: { gateway: { env: { OTHER_URL: "redis://me:hidden@redis:6379" } } }',
    expected: /container gateway has the secret OTHER_URL in its environment/,
  },
  {
    title: 'an image of no version',
    edit: [helpers, ':{{ default $.Chart.AppVersion .tag }}', ':latest'],
    expected: /container wishlists runs halles:latest: name a version or a digest\./,
  },
  {
    title: 'a value that is misspelled',
    values: 'services: { orders: { replica: 3 } }',
    expected: /services\/orders': additional properties 'replica' not allowed/,
  },
  {
    title: 'a service that does not exist',
    values: 'services: { invoices: {} }',
    expected: /services': additional properties 'invoices' not allowed/,
  },
  {
    title: 'a tag that moves',
    values: 'image: { tag: latest }',
    expected: /image\/tag'/,
  },
  {
    title: 'a database of which nobody says where it is',
    values: 'postgres: { peers: [] }',
    expected: /postgres\/peers': minItems/,
  },
]

/** A copy of the chart, and its folder's removal. */
function copyChart(): { folder: string; values: string; remove(): void } {
  const home = mkdtempSync(join(tmpdir(), 'halles-faulty-'))
  const folder = join(home, 'halles')
  cpSync(chartFolder, folder, { recursive: true })
  const remove = () => rmSync(home, { recursive: true })
  return { folder, values: join(home, 'values.yaml'), remove }
}

for (const { title, edit, values = '', expected } of faults) {
  test(`the chart is refused for ${title}`, { skip }, async () => {
    const chart = copyChart()
    try {
      if (edit) {
        const [name, from, to] = edit
        const path = join(chart.folder, name)
        const before = readFileSync(path, 'utf8')
        const after = before.replace(from, () => to)
        assert.notEqual(after, before, 'nothing was planted')
        writeFileSync(path, after)
      }
      writeFileSync(chart.values, values)
      const found = await chartFaults(helm, chart.folder, [existing, chart.values])
      assert.match(found.join('\n'), expected)
    } finally {
      chart.remove()
    }
  })
}

test('the chart as it is has no fault, with each example of values', { skip }, async () => {
  for (const values of exampleValues()) {
    assert.deepEqual(await chartFaults(helm, chartFolder, [values]), [], values)
  }
})

test('a manifest that Kubernetes would refuse is refused by its schemas', { skip }, async () => {
  const manifests = await renderChart(helm, chartFolder, [existing])
  const service = manifests.find(({ kind }) => kind === 'Service')
  assert.ok(service)
  const misspelled: Manifest = { ...service, spec: { ...service.spec, sessionAffinitee: 'None' } }
  const [found] = await schemaFaults(validator, [misspelled])
  assert.match(found ?? '', /sessionAffinitee/)
})

test('every service accepts the configuration that its pod gets', { skip }, async () => {
  const values: Record<string, string> = {
    ...platformSecrets(),
    STRIPE_API_KEY: 'sk_test_0123456789abcdef0123456789abcdef',
    STRIPE_WEBHOOK_SECRET: 'whsec_0123456789abcdef0123456789abcdef',
    DATABASE_URL: 'postgres://halles:hidden@postgres:5432/halles',
    AMQP_URL: 'amqp://halles:hidden@rabbitmq:5672',
    REDIS_URL: 'redis://:hidden@redis:6379',
    KAFKA_USERNAME: 'halles',
    KAFKA_PASSWORD: 'hidden',
  }
  const folder = mkdtempSync(join(tmpdir(), 'halles-mounted-'))
  try {
    const workloads = workloadsOf(await renderChart(helm, chartFolder, [existing]))
    for (const { component, kind, pod } of workloads.filter(({ kind }) => kind === 'Deployment')) {
      const mounted = (pod.containers[0]?.env ?? []).map(({ name, value = component }) => {
        const secret = name.replace(/_FILE$/, '')
        if (secret === name) return [name, value]
        assert.equal(value, `/secrets/${secret}`)
        assert.ok(values[secret], `${secret} of ${component} has no value`)
        writeFileSync(join(folder, secret), values[secret])
        return [name, join(folder, secret)]
      })
      const config = await readConfigOf(component, Object.fromEntries(mounted))
      assert.equal(config.host, '0.0.0.0', `${kind} ${component}`)
      const isService = component !== 'web'
      assert.equal(config.kafkaBrokers?.length, isService ? 3 : undefined, component)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a pod runs its own service, and a job migrates its own database', { skip }, async () => {
  const workloads = workloadsOf(await renderChart(helm, chartFolder, [existing]))
  const run = new Map(
    workloads.map(({ component, pod }) => [component, pod.containers[0]?.args?.join(' ')]),
  )
  for (const [name, { database }] of Object.entries(chartServices())) {
    assert.equal(run.get(name), name)
    assert.equal(
      run.get(`${name}-migration`),
      database === undefined ? undefined : `migrate ${name}`,
    )
  }
})
