import { createMetrics } from '@halles/kit/metrics'
import { chartServices } from './chart-topology.ts'
import {
  type Container,
  type Manifest,
  type Selector,
  selects,
  type Workload,
  workloadsOf,
} from './manifests.ts'
import { networkFaults } from './network.ts'

type Context = { manifests: readonly Manifest[]; workloads: readonly Workload[] }
type Rule = (workload: Workload, context: Context) => string[]

// What a process takes to end by itself, whatever hangs: `hardStopMs` of the kit's lifecycle.
const hardStopSeconds = 30
// Of the Pod Security Standard "restricted", those that nothing outside of a pod comes in by.
const volumeKinds = new Set(['emptyDir', 'projected', 'secret', 'configMap', 'downwardAPI'])
// A user and a password before a host.
const credentials = /:\/\/[^/\s:@]*:[^/\s@]+@/

const isServed = ({ kind }: Workload) => kind !== 'Job'
const containersOf = ({ pod }: Workload) => [...(pod.initContainers ?? []), ...pod.containers]

/** The faults of a condition: its message when it does not hold. */
function unless(isMet: boolean | undefined, message: string): string[] {
  return isMet ? [] : [message]
}

function ofContainers(check: (container: Container, workload: Workload) => string[]): Rule {
  return (workload) =>
    containersOf(workload).flatMap((container) =>
      check(container, workload).map((fault) => `container ${container.name} ${fault}`),
    )
}

const probes = ofContainers((container, workload) =>
  isServed(workload)
    ? (['startupProbe', 'readinessProbe', 'livenessProbe'] as const).flatMap((probe) =>
        unless(container[probe] !== undefined, `has no ${probe}`),
      )
    : [],
)

const resources = ofContainers(({ resources: { requests, limits } = {} }) =>
  ['cpu', 'memory'].flatMap((name) => [
    ...unless(requests?.[name] !== undefined, `has no resources.requests.${name}`),
    ...unless(limits?.[name] !== undefined, `has no resources.limits.${name}`),
  ]),
)

const image = ofContainers(({ image: name = '' }) => {
  const tag = /:([\w.-]+)$/.exec(name)?.[1]
  const isPinned = name.includes('@sha256:') || (tag !== undefined && tag !== 'latest')
  return unless(isPinned, `runs ${name || 'no image'}: name a version or a digest`)
})

const containerSecurity = ofContainers(({ securityContext: context = {} }) => {
  const { capabilities: { drop, add = [] } = {} } = context
  return [
    ...unless(context.readOnlyRootFilesystem, 'may write to its root file system'),
    ...unless(context.allowPrivilegeEscalation === false, 'may gain privileges'),
    ...unless(context.privileged !== true, 'is privileged'),
    ...unless(drop?.includes('ALL') && add.length === 0, 'does not drop ALL capabilities'),
  ]
})

const podSecurity: Rule = ({ pod }) => {
  const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext ?? {}
  const kinds = (pod.volumes ?? []).flatMap(({ name: _name, ...source }) => Object.keys(source))
  return [
    ...unless(runAsNonRoot && runAsUser !== 0, 'may run as root'),
    ...unless(seccompProfile?.type === 'RuntimeDefault', 'has no seccompProfile RuntimeDefault'),
    ...unless(!pod.hostNetwork && !pod.hostPID && !pod.hostIPC, 'shares a namespace of its node'),
    ...kinds.flatMap((kind) => unless(volumeKinds.has(kind), `mounts a volume of kind ${kind}`)),
  ]
}

const account: Rule = (workload, { manifests }) => {
  const { serviceAccountName, automountServiceAccountToken } = workload.pod
  const own = manifests.find(
    ({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === serviceAccountName,
  )
  return [
    ...unless(automountServiceAccountToken === false, 'mounts a token of the Kubernetes API'),
    // A job before the installation has none yet.
    ...(isServed(workload) ? unless(own !== undefined, 'has no ServiceAccount of its own') : []),
    ...unless(own?.automountServiceAccountToken !== true, 'has an account that mounts its token'),
  ]
}

const secretNames = new Set(
  Object.values(chartServices()).flatMap(({ secrets }) => Object.keys(secrets)),
)
const looksSecret = /(SECRET|PASSWORD|TOKEN|API_KEY|PRIVATE_KEYS?)$/

const secrets = ofContainers(({ env = [], envFrom = [] }) => [
  ...unless(envFrom.length === 0, 'takes its environment from elsewhere: mount secrets as files'),
  ...env.flatMap(({ name, value, valueFrom }) => {
    const isSecret = secretNames.has(name) || looksSecret.test(name)
    const isPlain = isSecret || credentials.test(value ?? '')
    const isKey = JSON.stringify(valueFrom ?? {}).includes('secretKeyRef')
    return unless(!isPlain && !isKey, `has the secret ${name} in its environment: use ${name}_FILE`)
  }),
])

const grace: Rule = (workload) => {
  if (!isServed(workload)) return []
  const pauses = containersOf(workload).map(
    ({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0,
  )
  const needed = Math.max(...pauses) + hardStopSeconds
  const given = workload.pod.terminationGracePeriodSeconds ?? 30
  return [
    ...unless(Math.min(...pauses) > 0, 'has no preStop pause: balancers would not know yet'),
    ...unless(given >= needed, `is killed after ${given} s, and may need ${needed} s to drain`),
  ]
}

const disruption: Rule = (workload, { manifests }) => {
  const budgets = manifests.filter(
    ({ kind, spec }) =>
      kind === 'PodDisruptionBudget' && selects(spec?.selector as Selector, workload.labels),
  )
  return isServed(workload) ? unless(budgets.length === 1, 'has no PodDisruptionBudget') : []
}

const spread: Rule = (workload) => {
  const rules = workload.pod.topologySpreadConstraints ?? []
  return isServed(workload) ? unless(rules.length > 0, 'has no topologySpreadConstraints') : []
}

const scalers = new Set(['HorizontalPodAutoscaler', 'ScaledObject'])
type Metric = { type: string; pods?: { metric: { name: string } } }

const scaling: Rule = (workload, { manifests }) => {
  if (!isServed(workload)) return []
  const own = manifests.filter(({ kind, spec = {} }) => {
    const target = spec.scaleTargetRef as { name: string } | undefined
    return scalers.has(kind) && target?.name === workload.name
  })
  const metrics = own.flatMap(({ spec }) => (spec?.metrics ?? []) as Metric[])
  const names = metrics.flatMap(({ pods }) => (pods ? [pods.metric.name] : []))
  return [
    ...unless(own.length <= 1, 'is scaled by two at once'),
    ...unless(
      (own.length === 1) !== (workload.replicas !== undefined),
      'needs either replicas or an autoscaler',
    ),
    ...names.flatMap((name) =>
      unless(exportedMetrics.has(name), `is scaled by ${name}, which no service exports`),
    ),
  ]
}

const exportedMetrics = new Set(
  createMetrics({ service: 'check' })
    .registry.getMetricsAsArray()
    .map(({ name }) => name),
)

const rules: readonly Rule[] = [
  ...[probes, resources, image, containerSecurity, podSecurity],
  ...[account, secrets, grace, disruption, spread, scaling],
]

/** What our own rules find wrong with manifests, a line for each fault that names its object. */
export function policyFaults(manifests: readonly Manifest[]): string[] {
  const workloads = workloadsOf(manifests)
  const context = { manifests, workloads }
  const services = new Set(workloads.filter(isServed).map(({ component }) => component))
  return [
    ...Object.keys(chartServices()).flatMap((name) =>
      unless(services.has(name), `There is no Deployment of ${name}.`),
    ),
    ...workloads.flatMap((workload) =>
      rules.flatMap((rule) =>
        rule(workload, context).map((fault) => `${workload.kind} ${workload.name} ${fault}.`),
      ),
    ),
    ...manifests
      .filter(({ kind }) => kind === 'Secret')
      .map(
        ({ metadata }) => `Secret ${metadata.name} would lie in the release: name existing ones.`,
      ),
    ...networkFaults(manifests, workloads),
  ]
}
